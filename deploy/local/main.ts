/** `npm start`: the whole system, virtual devices, and a first deployment to watch. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createLog } from '#webhook/log.ts';
import { type Fleet, startFleet } from '../lab/fleet/devices.ts';
import { interruption } from '../lab/interruption.ts';
import { createShowRoutes } from '../lab/show/routes.ts';
import { createShow } from '../lab/show/show.ts';
import { startSystem } from '../lab/system/system.ts';
import { help, type LocalConfig, toLocalConfig } from './config.ts';
import { buildConsole } from './console-build.ts';
import { deployDemo, watch } from './demo.ts';
import { explain } from './explain.ts';
import { writeHandouts } from './handouts.ts';
import { type HostDevices, startHostDevices } from './host-devices.ts';
import { openInBrowser } from './open.ts';
import { createProgress, summarize } from './progress.ts';

/** A link as slow as a busy Wi-Fi, so that there is something to watch. */
const demoBytesPerSecond = 512 * 1024;
/** Whoever cuts a network to see what happens does not want to wait a minute for it. */
const showTiming = { retryMaxMs: 2_000, reconnectMaxMs: 3_000 };
// That the SDK will ask for a newer Node one day is news for who updates it, not for who starts Flota.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

async function run(config: LocalConfig): Promise<number> {
  const interrupted = interruption();
  say(`Starting Flota (data in ${config.dataDir}) …`);
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const logFile = createWriteStream(join(config.dataDir, 'flota.log'), { flags: 'a', mode: 0o600 });
  await new Promise<void>((resolve, reject) => logFile.once('open', () => resolve()).once('error', reject));
  // A full disk costs log lines, not the system.
  logFile.on('error', (error) => process.stderr.write(`flota: flota.log: ${error.message}\n`));
  const log = createLog('info', (line) => logFile.write(line));
  const show = createShow();
  // A run that ends by itself is watched where it was started.
  const hasConsole = !config.exit || config.open;
  try {
    if (hasConsole) await buildConsole(() => say('Building the console …'));
  } catch (error) {
    // Ctrl-C reaches the build, too.
    if (interrupted.aborted) return 130;
    throw error;
  }
  const system = await startSystem({ ...config, log, localRoutes: createShowRoutes(show) });
  let fleet: Fleet | null = null;
  let hosts: HostDevices | null = null;
  try {
    const { rest } = system;
    say(`Console:  ${hasConsole ? system.url : 'not built for a run that ends by itself'}`);
    say(
      `Login:    ${system.admin.email}  ${config.adminPassword ? '(FLOTA_ADMIN_PASSWORD)' : system.admin.password}`,
    );
    say(`MQTT:     ${system.mqttUrl}`);
    for (const { path, what } of await writeHandouts(config.dataDir, system))
      say(`          ${path}  ${what}`);
    if (config.open) openInBrowser(system.url, (why) => say(`The browser was not opened: ${why}`));
    fleet = await startFleet(system, config.dataDir, config.devices, {
      patches: true,
      sealed: true,
      bytesPerSecond: demoBytesPerSecond,
      timing: showTiming,
    });
    show.attach(fleet, rest);
    say(
      config.devices > 0
        ? `Devices:  ${config.devices} virtual devices are on`
        : `Devices:  none yet; connect one of your own: ${system.url}/connect`,
    );
    hosts = await startHostDevices(system, config.dataDir, {
      host: config.hostDevices,
      board: config.qemuDevices,
    });
    if (hosts.ids.length > 0)
      say(`          ${hosts.ids.length} devices of the agent in C: ${hosts.ids.join(' ')}`);
    if (config.demo && !interrupted.aborted) {
      const ids = [...fleet.ids, ...hosts.ids].sort();
      const deployments = await deployDemo(rest, ids);
      say(
        `Deploying the demo firmware${hasConsole ? `: ${system.url}/deployments/${deployments[0]!.id}` : ''}`,
      );
      const show = createProgress(process.stdout);
      const ended = await watch(
        rest,
        deployments.map((d) => d.id),
        show,
        interrupted,
      );
      if (!interrupted.aborted) {
        const { text, allSucceeded } = summarize(ended);
        say(text);
        if (config.exit) return allSucceeded ? 0 : 1;
      }
    }
    if (!interrupted.aborted) {
      say('Running. Ctrl-C stops it; a second start goes on where this one was.');
      await new Promise<void>((resolve) => interrupted.addEventListener('abort', () => resolve()));
    }
    return config.exit ? 130 : 0;
  } finally {
    if (!config.exit) say('Stopping …');
    await fleet?.close();
    await hosts?.close();
    await system.close();
    await new Promise<void>((resolve) => logFile.end(() => resolve()));
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

// `npm start | head`: who stops reading does not stop the system.
process.stdout.on('error', () => {});
let config: LocalConfig | null = null;
try {
  const parsed = toLocalConfig(process.argv.slice(2), process.env);
  if (parsed === 'help') process.stdout.write(help);
  else {
    config = parsed;
    process.exitCode = await run(config);
  }
} catch (error) {
  process.stderr.write(`flota: ${explain(error, config)}\n`);
  process.exitCode = 1;
}
// Whatever a library has left open must not keep a finished run alive.
process.exit();
