/** Terraform's own verdict: every folder validates, and plans of three sizes hold what they must. Needs terraform and the AWS provider. */
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const here = dirname(fileURLToPath(import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'flota-terraform-'));
cpSync(here, dir, {
  recursive: true,
  filter: (path) => !/\.terraform|\.test\.ts$|\.full\.ts$/.test(path.slice(here.length)),
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

// A configuration file that is named and is not there is a warning on every line of output.
const config = process.env.TF_CLI_CONFIG_FILE;
const configured = existsSync(config ?? join(homedir(), '.terraformrc'));
const env = {
  ...process.env,
  TF_IN_AUTOMATION: '1',
  CHECKPOINT_DISABLE: '1',
  // The provider's schemas are read anew for each command and thrown away: collecting less often is a seventh less work.
  GOGC: '400',
} as NodeJS.ProcessEnv;
if (config && !configured) delete env.TF_CLI_CONFIG_FILE;

interface Result {
  status: number;
  output: string;
}
const terraform = (folder: string, ...args: string[]) =>
  new Promise<Result>((resolve) => {
    const options = { cwd: join(dir, folder), env, timeout: 240_000 };
    execFile('terraform', args, options, (error, out, errors) =>
      resolve({ status: error ? Number(error.code) || 1 : 0, output: out + errors }),
    );
  });

/** Where providers lie as `terraform providers mirror` puts them: terraform's own places, its cache, and what admins put below /opt. */
function findMirror(): string | undefined {
  const shares = (process.env.XDG_DATA_DIRS ?? '/usr/local/share:/usr/share').split(':');
  return [
    process.env.TF_PLUGIN_CACHE_DIR ?? '',
    join(homedir(), '.terraform.d/plugins'),
    ...shares.map((share) => join(share, 'terraform/plugins')),
    ...(existsSync('/opt') ? readdirSync('/opt').map((name) => join('/opt', name)) : []),
  ].find((place) => existsSync(join(place, 'registry.terraform.io/hashicorp/aws')));
}

const mirror = configured ? undefined : findMirror();
const init = (folder: string) =>
  terraform(
    folder,
    ...['init', '-backend=false', '-input=false', '-no-color'],
    ...(mirror ? [`-plugin-dir=${mirror}`] : []),
  );

/** Validating it validates whatever it is made of, which is all. Each folder for itself starts the provider as often, which takes seconds. */
const example = 'examples/small';
const hasTerraform = spawnSync('terraform', ['version']).status === 0;
const begun = hasTerraform ? await init(example) : null;

/** Null: ready. Only absence is a reason; whatever else fails, fails the tests. */
function whyNot(): string | null {
  if (!begun) return 'there is no terraform';
  const absent =
    /Failed to query available provider packages|could not connect to registry|Failed to install provider/i;
  return absent.test(begun.output) ? 'there is no AWS provider, neither in a mirror nor in a registry' : null;
}
const missing = whyNot();
if (missing) process.stderr.write(`terraform's validate and plans are NOT run: ${missing}\n`);

const folders = ['.', ...readdirSync(join(here, 'modules')).map((name) => `modules/${name}`)];

test.skipIf(missing)(
  'every folder validates without a remark, and is formatted',
  async () => {
    expect(folders.length).toBeGreaterThan(10);
    expect(begun!.status, begun!.output).toBe(0);
    const { Modules } = JSON.parse(
      readFileSync(join(dir, example, '.terraform/modules/modules.json'), 'utf8'),
    );
    const used = Modules.map((module: { Dir: string }) => join(dir, example, module.Dir));
    for (const folder of folders) expect(used).toContain(join(dir, folder));
    const verdict = JSON.parse((await terraform(example, 'validate', '-json')).output);
    expect(verdict.diagnostics).toEqual([]);
    const { output } = await terraform('.', 'fmt', '-check', '-recursive', '-no-color');
    expect(output).toBe('');
  },
  300_000,
);

test.skipIf(missing)(
  'plans for a small, a large and a single-zone installation hold what tests/plans.tftest.hcl asks',
  async () => {
    expect((await init('.')).status).toBe(0);
    const { status, output } = await terraform('.', 'test', '-no-color');
    expect(status, output).toBe(0);
    expect(output).toMatch(/Success! [1-9]\d* passed, 0 failed/);
  },
  300_000,
);
