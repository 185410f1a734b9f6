/** Runs one virtual device from the command line. */
import '#deploy/lab/primitives/closed-pipe.ts';
import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { DeviceFault, startDevice } from './device.ts';
import { enroll } from './identity.ts';
import type { Consent, LogLevel } from './options.ts';

const help = `Runs one virtual device.

  tsx firmware/virtual/main.ts --id ID --dir DIR --mqtt-url mqtts://HOST:PORT --trust FILE --signing-keys FILE [options]

  --id ID                the device's id, 1 to 64 of A-Z a-z 0-9 _ -
  --dir DIR              its own directory: identity, slots, journal; made when absent
  --mqtt-url URL         the broker
  --trust FILE           PEM of the roots that broker and firmware servers are verified against
  --signing-keys FILE    JWKS of the firmware signing keys
  --hardware NAME        default esp32s3
  --component NAME       default main
  --enroll-url URL       first get a certificate from URL/api/issue_cert …
  --token TOKEN          … with this one-time token
  --timing JSON          other timings, as in options.ts: '{"telemetryMs":60000}'
  --limits JSON          other limits
  --no-fsync             leave flushing to the operating system
  --kill-at-write N      kill -9 itself at the Nth change of its disk
  --hold-install FILE    while FILE is there its application puts installing off; its text says why, after
  --hold-reboot FILE     a number for how many ms. The same before the reboot into a new image
  --log LEVEL            debug, info, warn or error; default info
  --help

It writes one JSON object a line to stdout and ends on SIGINT or SIGTERM. An image (image.ts) may fail its self-test, or crash. A certificate of a private CA at --enroll-url is
trusted by NODE_EXTRA_CA_CERTS.
`;

const levels: LogLevel[] = ['debug', 'info', 'warn', 'error'];

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        id: { type: 'string' },
        dir: { type: 'string' },
        'mqtt-url': { type: 'string' },
        trust: { type: 'string' },
        'signing-keys': { type: 'string' },
        hardware: { type: 'string', default: 'esp32s3' },
        component: { type: 'string', default: 'main' },
        'enroll-url': { type: 'string' },
        token: { type: 'string' },
        timing: { type: 'string', default: '{}' },
        limits: { type: 'string', default: '{}' },
        'no-fsync': { type: 'boolean', default: false },
        'kill-at-write': { type: 'string', default: '0' },
        'hold-install': { type: 'string' },
        'hold-reboot': { type: 'string' },
        log: { type: 'string', default: 'info' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return fail((error as Error).message.split('\n')[0] ?? 'bad arguments');
  }
}

function readFile(option: string, path: string): string {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (error) {
    return fail(`--${option}: cannot read ${path} (${(error as NodeJS.ErrnoException).code})`);
  }
}

function readJson(option: string, text: string): Record<string, never> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, never>;
  } catch {
    // Said below.
  }
  return fail(`--${option} is not a JSON object`);
}

/** An application that says no while a file is there. */
function askFile(path: string | undefined): () => Consent {
  return () => {
    if (path === undefined || !fs.existsSync(path)) return 'now';
    const [, forMs, reason] = /^(\d+ )?(.*)/.exec(fs.readFileSync(path, 'utf8'))!;
    return { reason: reason!, ...(forMs && { forMs: Number(forMs) }) };
  };
}

/** A power cut of the whole process, for the conformance suite. */
function killAt(write: number): () => void {
  let writes = 0;
  return () => {
    if (++writes === write) process.kill(process.pid, 'SIGKILL');
  };
}

async function main(): Promise<void> {
  const args = readArguments();
  if (args.help) {
    process.stdout.write(help);
    return;
  }
  const required = ['id', 'dir', 'mqtt-url', 'trust', 'signing-keys'] as const;
  const missing = required.filter((name) => !args[name]);
  if (missing.length > 0) fail(`missing: ${missing.map((name) => `--${name}`).join(', ')} (see --help)`);
  const threshold = levels.indexOf(args.log as LogLevel);
  if (threshold < 0) fail(`--log must be one of ${levels.join(', ')}`);
  const { id, dir, token, 'enroll-url': enrollUrl } = args as { id: string; dir: string } & typeof args;
  if (enrollUrl !== undefined && !URL.canParse(enrollUrl)) fail('--enroll-url is not a URL');
  if (enrollUrl !== undefined && !token) fail('--enroll-url needs --token');

  const options = {
    id,
    dir,
    hardware: args.hardware,
    component: args.component,
    mqttUrl: args['mqtt-url']!,
    trust: readFile('trust', args.trust!),
    signingKeys: readJson('signing-keys', readFile('signing-keys', args['signing-keys']!)) as unknown as {
      keys: object[];
    },
    timing: readJson('timing', args.timing),
    limits: readJson('limits', args.limits),
    fsync: !args['no-fsync'],
    patches: true,
    sealed: true,
    onDiskWrite: killAt(Number(args['kill-at-write'])),
    mayInstall: askFile(args['hold-install']),
    mayReboot: askFile(args['hold-reboot']),
    log: (level: LogLevel, message: string, fields?: Record<string, unknown>) => {
      if (levels.indexOf(level) < threshold) return;
      process.stdout.write(
        `${JSON.stringify({ at: new Date().toISOString(), level, message, ...fields })}\n`,
      );
    },
  };
  if (enrollUrl !== undefined && token)
    await enroll({ dir, id, url: enrollUrl, token, fsync: options.fsync });
  const device = startDevice(options);
  const say = (event: string) => (detail?: unknown) => options.log('info', event, { device: id, detail });
  device.on('boot', say('boot')).on('online', say('online')).on('offline', say('offline'));

  const stop = () => void device.close();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

main().catch((error: unknown) => {
  const known = error instanceof DeviceFault || (error as NodeJS.ErrnoException)?.syscall !== undefined;
  fail(known ? (error as Error).message : String((error as Error)?.stack ?? error));
});
