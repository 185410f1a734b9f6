/** `flota deploy`: who gets which firmware, in which waves; `cancel`, and the list of deployments. */

import { parseDuration, parseShare, parseWaves, parseWhole } from '#deploy/lab/fleet/units.ts';
import { formatBytes } from '#deploy/local/progress.ts';
import { type Flota, insist, type NewDeployment, type Schemas } from './client.ts';
import type { Command, Input } from './command.ts';
import { CliError, type Exit, exits } from './errors.ts';
import { findFirmwares } from './firmware.ts';
import { table } from './output.ts';
import { findPlaces } from './places.ts';
import { readFollow, timeoutOption } from './watch.ts';

const percent = (text: string) => Math.round(parseShare(text) * 1e6) / 1e4;

export const deploy: Command = {
  name: 'deploy',
  summary: 'deploy a firmware; with --watch it ends with 0 once every device runs it',
  options: {
    version: { hint: 'V', help: 'the firmware, by its version' },
    hardware: { hint: 'H', help: 'where several firmwares have that version' },
    component: { hint: 'C', help: 'the same' },
    firmware: { hint: 'ID', help: 'the firmware, by its id' },
    all: { help: 'to all devices with its hardware' },
    region: { hint: 'NAME', multiple: true, help: 'to this region; may be given again, as the next two' },
    division: { hint: 'NAME', multiple: true, help: 'to this division' },
    device: { hint: 'ID', multiple: true, help: 'to this device' },
    query: { hint: 'QUERY', help: 'only to those of them that match; alone, to all that match' },
    group: { hint: 'NAME', help: 'the same, by a saved group of the console' },
    policy: {
      hint: 'NAME',
      help: 'a rollout policy that is kept under a name; the options below go before it',
    },
    waves: { hint: 'LIST', help: 'how far each wave reaches: 1,5%,25%,100%' },
    success: { hint: 'P', help: 'of a wave must succeed before the next one: 95%' },
    failure: { hint: 'P', help: 'of a wave that fail halt the deployment: 5%' },
    soak: { hint: 'TIME', help: 'from the end of a wave to the next one: 30min' },
    rate: { hint: 'N', help: 'updates started in a minute, at most' },
    'start-at': { hint: 'WHEN', help: 'not before this: 2030-01-31T02:00:00Z' },
    'dry-run': { help: 'who would get it, who not and why; nothing is sent' },
    watch: { help: 'stay until it has ended' },
    timeout: timeoutOption,
  },
  examples: [
    '--version 9.9.9 --all --watch',
    '--version 9.9.9 --region Seoul --region Busan --waves 1,10%,100% --soak 30min',
    "--version 9.9.9 --query 'tag = pilot' --dry-run",
  ],
  async run(input) {
    const follow = readFollow(input);
    const flota = input.flota();
    const body = await readOrder(flota, input);
    if (input.has('dry-run'))
      return showDryRun(input, await insist(flota.POST('/api/deployments/dry_run', { body })));
    const made = await insist(flota.POST('/api/deployments', { body }));
    const said = `Deployment ${made.id}: ${made.firmware.fileName} ${made.firmware.version} to ${made.total} devices`;
    return follow(flota, made.id, made, said);
  },
};

async function readOrder(flota: Flota, input: Input): Promise<NewDeployment> {
  const { waves, ...gate } = readPolicy(input);
  const startAt = input.text('start-at');
  const [query, group] = [input.text('query'), input.text('group')];
  const named = ['region', 'division', 'device'].some((name) => input.all(name).length > 0);
  if (!input.has('all') && !named && query === undefined && group === undefined)
    throw CliError.of(
      'usage',
      'To which devices?',
      'Give --all, --region, --division, --device, --query or --group.',
    );
  const firmwareId = await chooseFirmware(flota, input);
  return {
    firmwareId,
    all: input.has('all'),
    regions: await findPlaces(flota, '/api/regions', input.all('region')),
    divisions: await findPlaces(flota, '/api/divisions', input.all('division')),
    devices: input.all('device'),
    query,
    group,
    policy: { ...(await findPolicy(flota, input.text('policy'))), ...(waves && { waves }), ...gate },
    ...(startAt !== undefined && { startAt }),
  };
}

function readPolicy(input: Input) {
  const policy = {
    waves: input.parsed('waves', parseWaves),
    successPercent: input.parsed('success', percent),
    failurePercent: input.parsed('failure', percent),
    soakMs: input.parsed('soak', parseDuration),
    ratePerMinute: input.parsed('rate', parseWhole(1, 1_000_000)),
  };
  return JSON.parse(JSON.stringify(policy)) as typeof policy;
}

async function findPolicy(flota: Flota, name: string | undefined): Promise<NewDeployment['policy']> {
  if (name === undefined) return {};
  const known = await insist(flota.GET('/api/policies'));
  const found = known.find((one) => one.name === name);
  if (found) return found.policy;
  const names = known.map((one) => one.name).join(', ') || 'none';
  throw CliError.of('policy_unknown', `There is no policy "${name}".`, `There are: ${names}`);
}

async function chooseFirmware(flota: Flota, input: Input): Promise<string> {
  const id = input.text('firmware');
  const version = input.text('version');
  if ((id === undefined) === (version === undefined))
    throw CliError.of('usage', 'Which firmware?', 'Give either --version or --firmware.');
  if (id !== undefined) return id;
  const [hardware, component] = [input.text('hardware'), input.text('component')];
  const found = (await findFirmwares(flota, version)).filter(
    (f) =>
      f.version === version &&
      (hardware === undefined || f.hardware === hardware) &&
      (component === undefined || f.component === component),
  );
  if (found.length === 1) return found[0]!.id;
  if (found.length === 0)
    throw CliError.of(
      'firmware_unknown',
      `There is no firmware with the version ${version}${hardware ? ` for ${hardware}` : ''}.`,
      'See flota firmware list, or bring it in: flota firmware upload FILE',
    );
  const which = found.map((f) => `${f.id} (${f.fileName}, ${f.hardware}, ${f.component})`).join('; ');
  throw CliError.of(
    'firmware_ambiguous',
    `${found.length} firmwares have the version ${version}: ${which}`,
    'Give --firmware ID, or --hardware and --component.',
  );
}

function showDryRun(input: Input, run: Schemas['DryRun']): Exit {
  const { presence, waves } = run;
  const excluded = Object.entries(run.excludedCounts).filter(([, count]) => count > 0);
  input.out.show(run, [
    `${run.targets} devices would get it: ${presence.online} online, ${presence.sleeping} away, ${presence.neverSeen} never seen`,
    ...waves.map((wave, at) => `  wave ${at + 1}: ${wave.total}`),
    ...excluded.map(([reason, count]) => `  not: ${count} ${reason.replaceAll('_', ' ')}`),
    `  ${formatBytes(run.egressBytes)} to send${run.expectedMs === null ? '' : `, in about ${Math.ceil(run.expectedMs / 60_000)} min`}`,
    ...(run.patches.devices + run.patches.compressed > 0
      ? [
          `  ${formatBytes(run.patches.egressBytes)} so: ${run.patches.devices} by patch, ${run.patches.compressed} compressed`,
        ]
      : []),
    ...(run.patches.unsigned > 0
      ? [`  ${run.patches.unsigned} could take a patch that waits to be signed: flota patches sign`]
      : []),
    ...(run.cost
      ? [
          `  ${run.cost.whole.toFixed(2)} ${run.cost.currency}, ${run.cost.withPatches.toFixed(2)} with patches`,
        ]
      : []),
  ]);
  return exits.succeeded;
}

export const cancel: Command = {
  name: 'cancel',
  operands: ['DEPLOYMENT'],
  summary: 'stop a deployment: nothing more is sent, devices under way are told to stop',
  examples: ['0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1'],
  async run(input) {
    const path = { id: input.operands[0]! };
    const deployment = await insist(input.flota().POST('/api/deployments/{id}/cancel', { params: { path } }));
    input.out.show(deployment, `Deployment ${deployment.id} is ${deployment.state}.`);
  },
};

export const list: Command = {
  name: 'deployments',
  summary: 'deployments, newest first',
  options: { limit: { hint: 'N', help: 'how many at most (default: 20)' } },
  examples: ['', '--limit 100 --json'],
  async run(input) {
    const limit = input.parsed('limit', parseWhole(1, 1000)) ?? 20;
    const found = await insist(input.flota().GET('/api/deployments', { params: { query: { limit } } }));
    const rows = found.items.map((d) => [
      d.id,
      d.firmware.version,
      d.firmware.hardware,
      d.state,
      `${d.counts.succeeded ?? 0}/${d.total}`,
      d.createdBy,
      d.createdAt,
    ]);
    input.out.show(
      found.items,
      table(['ID', 'VERSION', 'HARDWARE', 'STATE', 'SUCCEEDED', 'BY', 'SINCE'], rows),
    );
  },
};
