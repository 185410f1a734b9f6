/** Runs a command against a broker as the terminal would, in this process and with the rule files in a directory of their own. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commands } from '../cli.ts';
import { rulesDir } from '../rules.ts';
import type { BrokerOptions } from '../standin/broker.ts';
import { startSink, startTestBed } from '../standin/test-broker.ts';
import { connectBroker } from './live.ts';
import { painter } from './output.ts';
import { readmeRule } from './readme-rule.ts';
import type { Settings } from './settings.ts';

/** Without a broker and a webhook of its own. */
export function createCliRun(settings: Settings) {
  const root = mkdtempSync(join(tmpdir(), 'emqx-cli-'));
  const dir = join(root, 'rules');
  const cli = {
    ...{ dir, root, settings },
    /** The rule files as they are in the repository. */
    freshFiles() {
      rmSync(dir, { recursive: true, force: true });
      cpSync(rulesDir, dir, { recursive: true });
    },
    file: (name: string) => readFileSync(join(dir, name), 'utf8'),
    write: (name: string, text: string) => writeFileSync(join(dir, name), text),
    edit: (name: string, from: string, to: string) => cli.write(name, cli.file(name).replace(from, to)),
    async run(
      name: string,
      flags: Record<string, string | boolean> = {},
      other: Partial<Settings> = {},
      from = dir,
    ) {
      const lines: string[] = [];
      const own = { ...settings, ...other };
      const broker = await connectBroker(own);
      const given = { dir: from, flags, say: (line = '') => lines.push(line), paint: painter(false) };
      try {
        const status = await commands[name]!.run({ ...given, broker, settings: own });
        return { status, text: lines.join('\n') };
      } finally {
        broker.close();
      }
    },
    close: () => rmSync(root, { recursive: true }),
  };
  cli.freshFiles();
  return cli;
}

/** `apiUrl`: of another broker than the bed's own. */
export async function startCliBed({ apiUrl, ...options }: Partial<BrokerOptions> & { apiUrl?: string } = {}) {
  const bed = await startTestBed({}, options);
  const sink = await startSink();
  const run = createCliRun({
    api: { url: apiUrl ?? `http://127.0.0.1:${bed.broker.apiPort}`, key: 'key', secret: 'secret' },
    webhook: { url: sink.url, token: 'token-1' },
    local: true,
  });
  const cli = {
    ...{ ...run, bed, sink },
    /** With a rule that somebody added as README.md says. */
    freshFiles() {
      run.freshFiles();
      run.write(readmeRule.file, readmeRule.text.replace('https://example.com', `${sink.url}/my`));
    },
    async close() {
      await bed.close();
      await sink.close();
      run.close();
    },
  };
  cli.freshFiles();
  return cli;
}
