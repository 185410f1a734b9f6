/** What a device is put through the cases with: a broker, a CA, a hostile file server, and its own directory. */
import { strict as assert } from 'node:assert';
import { createHash, createPrivateKey, type KeyObject, randomUUID, sign } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import type { DownloadRequest, Manifest, Running, Undo } from '#emqx/protocol.ts';
import { makeKey, openKey, type SigningKey } from '../signing/key.ts';
import { Broker } from '../virtual/bench/broker.ts';
import { FileServer } from '../virtual/bench/file-server.ts';
import { createPki, type Pki } from '../virtual/bench/pki.ts';
import { buildImage, type ImageHeader } from '../virtual/image.ts';
import { DeviceProcess } from './device.ts';

export const kib = 1024;
const id = 'dev-1';
const hardware = 'conformance-board';

/** Impatient, so that a case takes a second; the names are those of firmware/virtual/options.ts. */
export const timing = {
  reconnectMinMs: 20,
  reconnectMaxMs: 100,
  connectMs: 3_000,
  resendMinMs: 150,
  resendMaxMs: 500,
  retryMinMs: 5,
  retryMaxMs: 50,
  urlRefreshMinMs: 50,
  urlRefreshMaxMs: 100,
  stallMs: 1_000,
  checkpointMs: 50,
  progressMs: 50,
  telemetryMs: 60_000,
  selfTestMs: 2_500,
  rebootMs: 10,
  renewCheckMs: 100,
  renewRetryMs: 300,
  askAgainMs: 100,
};
export const limits = { chunkStartBytes: 32 * kib, chunkCeilingBytes: 64 * kib, slotBytes: 4096 * kib };

/** What all cases of a run share. */
export interface Lab {
  command: string;
  pki: Pki;
  server: { key: string; certificate: string };
  key: SigningKey;
  /** Its private half, for manifests that its owner would never sign. */
  privateKey: KeyObject;
  stranger: SigningKey;
  /** Can cut its own power at a chosen write: `--kill-at-write`. */
  killsItself: boolean;
  /** Its application can be made to put an update off: `--hold-install`, `--hold-reboot`. */
  canHold: boolean;
  /** Runs images that crash: `--help` says so. */
  crashes: boolean;
  /** As it says itself when it comes online for the first time. */
  takesPatches: boolean;
  takesCompressed: boolean;
  /** Likewise. */
  opensSealed: boolean;
  /** Of the enrolled device, PEM. */
  certificate: string;
  /** The library that makes a device's storage forget what was not synced; null: not for this device. */
  lossy: string | null;
  /** A directory of an enrolled device that has never been updated, and the files around it. */
  dir: string;
  close(): Promise<void>;
}

/** Enrols the device once. Throws when it does not even come online. */
export async function openLab(command: string, help: string, lossy: string | null): Promise<Lab> {
  const pki = await createPki();
  const dir = fs.mkdtempSync(join(tmpdir(), 'flota-conformance-'));
  const pem = makeKey();
  const lab: Lab = {
    command,
    pki,
    server: await pki.server(),
    key: await openKey(pem),
    privateKey: createPrivateKey(pem),
    stranger: await openKey(makeKey()),
    killsItself: help.includes('--kill-at-write'),
    canHold: help.includes('--hold-install'),
    crashes: help.includes('or crash.'),
    takesPatches: false,
    takesCompressed: false,
    opensSealed: false,
    certificate: '',
    lossy,
    dir,
    close: async () => fs.rmSync(dir, { recursive: true, force: true }),
  };
  fs.writeFileSync(join(dir, 'trust.pem'), pki.trust);
  fs.writeFileSync(join(dir, 'keys.json'), JSON.stringify(lab.key.publicKeys));
  fs.mkdirSync(join(dir, 'enrolled'));
  try {
    await enroll(lab);
  } catch (error) {
    await lab.close();
    throw error;
  }
  return lab;
}

interface Life {
  ageMs?: number;
  leftMs?: number;
}

export const tokenRefused = 'The token is for another device.';

/** What stands behind `POST /api/issue_cert`. A one-time token is good for one CSR, and for the same one again. */
export async function startCa(lab: Lab, life?: Life) {
  const known = new Map<string, string>();
  const answer = async (req: http.IncomingMessage, res: http.ServerResponse) => {
    let text = '';
    for await (const data of req) text += data;
    const { csr } = JSON.parse(text) as { csr: string };
    const refused = req.headers.authorization !== 'Bearer once' || (known.size > 0 && !known.has(csr));
    if (refused || req.url !== '/api/issue_cert')
      return void res.writeHead(403).end(JSON.stringify({ detail: tokenRefused }));
    const certificate = known.get(csr) ?? (await lab.pki.issue(csr, life));
    known.set(csr, certificate);
    res.writeHead(201, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ certificate, chain: lab.pki.issuing }));
  };
  const ca = http.createServer((req, res) => void answer(req, res).catch(() => res.destroy()));
  const url = `http://127.0.0.1:${await listen(ca)}`;
  return {
    options: ['--enroll-url', url, '--token', 'once'],
    issued: () => known.size,
    /** The certificate that was asked for last. */
    last: () => [...known.values()].at(-1)!,
    close: async () => {
      ca.closeAllConnections();
      await new Promise((resolve) => ca.close(resolve));
    },
  };
}

async function enroll(lab: Lab): Promise<void> {
  const ca = await startCa(lab);
  const rig = await Rig.open(lab, { dir: join(lab.dir, 'enrolled') });
  try {
    await rig.start(ca.options);
    await rig.broker.see('status/health', (it) => it.boot !== undefined, 15_000);
    lab.takesPatches = rig.running.patch === 'detools';
    lab.takesCompressed = rig.running.compressed === true;
    lab.opensSealed = rig.running.seal === 'hpke-p256';
    lab.certificate = ca.last();
    await rig.device.shutDown();
    assert.equal(ca.issued(), 1, 'it did not ask for exactly one certificate');
  } catch (error) {
    throw new Error(`the device cannot be enrolled: ${(error as Error).message}\n${rig.device.output}`);
  } finally {
    await rig.close();
    await ca.close();
  }
}

export class Rig {
  readonly lab: Lab;
  readonly broker: Broker;
  readonly files: FileServer;
  readonly device: DeviceProcess;
  readonly deployment = randomUUID();
  readonly dir: string;

  private constructor(lab: Lab, broker: Broker, files: FileServer, dir: string) {
    this.lab = lab;
    this.broker = broker;
    this.files = files;
    this.dir = dir;
    this.device = new DeviceProcess(lab.command, [
      ...['--id', id, '--dir', dir, '--mqtt-url', broker.url, '--hardware', hardware],
      ...['--trust', join(lab.dir, 'trust.pem'), '--signing-keys', join(lab.dir, 'keys.json')],
      ...['--timing', JSON.stringify(timing), '--limits', JSON.stringify(limits), '--log', 'debug'],
    ]);
  }

  /** A copy of the enrolled device, or one in a directory of its own. */
  static async open(lab: Lab, own: { dir?: string } = {}): Promise<Rig> {
    const dir = own.dir ?? fs.mkdtempSync(join(lab.dir, 'device-'));
    if (!own.dir) fs.cpSync(join(lab.dir, 'enrolled'), dir, { recursive: true });
    const broker = await Broker.start({ ...lab.server, trust: lab.pki.trust });
    const files = await FileServer.start(lab.server);
    return new Rig(lab, broker, files, dir);
  }

  async close(): Promise<void> {
    await this.device.powerOff();
    await this.broker.close();
    await this.files.close();
  }

  /** Subscribed to its requests: from here on the webhook would speak to it. */
  async online(count = this.broker.subscriptions.length): Promise<void> {
    const { deaths } = this.device;
    const subscribed = () => {
      assert.ok(this.device.deaths < deaths + 10, 'it ends again and again');
      return this.broker.subscriptions.slice(count).includes('firmware/download/request');
    };
    await until('the device to subscribe to firmware/download/request', subscribed, 15_000);
  }

  /** From its next start on, a power cut takes what was not synced; `more`: what else is wrong with the storage (`lossy.c`). */
  loseUnsynced(more: Record<string, string> = {}): void {
    this.device.env = { LD_PRELOAD: this.lab.lossy!, LOSSY_DIR: this.dir, ...more };
  }

  /** To be started with in a case where its application has something to say. */
  get holdOptions(): string[] {
    return ['--hold-install', this.#holdFile('install'), '--hold-reboot', this.#holdFile('reboot')];
  }

  /** Its application puts the step off until `release`. */
  hold(step: 'install' | 'reboot', text: string): void {
    fs.writeFileSync(this.#holdFile(step), text);
  }

  release(step: 'install' | 'reboot'): void {
    fs.rmSync(this.#holdFile(step));
  }

  #holdFile(step: string): string {
    return `${this.dir}-hold-${step}`;
  }

  /** Forgets who it is: the next start must enrol it again. */
  forget(): void {
    fs.rmSync(this.dir, { recursive: true, force: true });
    fs.mkdirSync(this.dir);
  }

  async start(more: string[] = []): Promise<void> {
    const count = this.broker.subscriptions.length;
    this.device.powerOn(more);
    await this.online(count);
  }

  /** A manifest with any header, rightly signed by the key that devices trust. */
  signWith(header: object, manifest: Manifest | Undo): string {
    const text = [header, manifest]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const signature = sign('sha256', Buffer.from(text), {
      key: this.lab.privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    return `${text}.${signature.toString('base64url')}`;
  }

  /** The same server by an address that its certificate does not name; what it is asked there is counted. */
  async openAlias(port: number): Promise<{ host: string; connections: () => number; close(): void }> {
    const host = '127.0.0.2';
    let connections = 0;
    const sockets = new Set<net.Socket>();
    const server = net.createServer((socket) => {
      connections++;
      const onward = net.connect(port, '127.0.0.1');
      socket.pipe(onward).pipe(socket);
      for (const end of [socket, onward]) {
        sockets.add(end);
        end.on('error', () => socket.destroy());
      }
    });
    await listen(server, port, host);
    const close = () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    };
    return { host, connections: () => connections, close };
  }

  /** Puts an image on the file server; the answer is what its manifest says. */
  publish(
    sizeBytes = 200 * kib,
    more: Partial<Manifest> & Partial<Pick<ImageHeader, 'selfTest' | 'crash'>> = {},
  ): Manifest {
    const { selfTest = 'pass', crash, ...manifest } = more;
    const version = manifest.version ?? '1.0.0';
    this.files.image = buildImage({ version, sizeBytes, selfTest, seed: 7, ...(crash && { crash }) });
    return {
      component: 'main',
      hardware,
      version,
      securityVersion: 0,
      fileName: 'image.bin',
      size: sizeBytes,
      sha256: createHash('sha256').update(this.files.image).digest('hex'),
      ...manifest,
    };
  }

  async request(manifest: Manifest, more: Partial<DownloadRequest> = {}): Promise<void> {
    this.broker.send('firmware/download/request', {
      deployment: this.deployment,
      attempt: 1,
      manifest: await this.lab.key.sign(manifest),
      url: this.files.url(),
      urlExpiresAt: new Date(Date.now() + 3600_000).toISOString(),
      ...more,
    });
  }

  /** The order to boot the previous image, which comes without a URL. */
  undo(deployment: string, manifest: string): void {
    this.broker.send('firmware/download/request', { deployment, attempt: 1, manifest });
  }

  cancel(attempt = 1, deployment = this.deployment): void {
    this.broker.send('firmware/download/cancel', { deployment, attempt });
  }

  ack(fits: (it: Record<string, unknown>) => boolean = () => true): Promise<Record<string, unknown>> {
    return this.broker.see('firmware/download/request/ack', fits, 15_000);
  }

  result(attempt = 1, deployment: string = this.deployment): Promise<Record<string, unknown>> {
    const fits = (it: Record<string, unknown>) => it.attempt === attempt && it.deployment === deployment;
    return this.broker.see('firmware/download/result', fits, 30_000);
  }

  async refusal(): Promise<string> {
    const ack = await this.ack();
    assert.equal(ack.accepted, false, 'the request was accepted');
    return (ack.error as { code: string }).code;
  }

  /** Waits for the end of attempt 1 and checks that the device says what is true. */
  async succeeds(manifest: Manifest, attempt = 1): Promise<Record<string, unknown>> {
    const result = await this.result(attempt);
    assert.equal(result.outcome, 'succeeded', JSON.stringify(result));
    assert.equal((result.running as Manifest).sha256, manifest.sha256, 'it reports another digest');
    assert.equal((result.running as Manifest).version, manifest.version);
    return result;
  }

  async fails(code: string, attempt = 1): Promise<void> {
    const result = await this.result(attempt);
    assert.equal(result.outcome, 'failed', JSON.stringify(result));
    assert.equal((result.error as { code: string }).code, code);
  }

  /** What the newest report of a boot says that it runs. */
  get running(): Running {
    const boots = this.broker.of('status/health').filter((it) => it.boot);
    return (boots.at(-1)!.running as Running[])[0]!;
  }

  /** Lets messages that are on their way arrive: the device answers a ping after what came before it. */
  async settle(): Promise<void> {
    const ping = randomUUID();
    const answered = (it: Record<string, unknown>) => it.command === ping;
    for (let tries = 0; tries < 20; tries++) {
      // One that is lost with the power is asked for again, as a webhook would.
      this.broker.send('control/command', { id: ping, command: 'ping' });
      try {
        await this.broker.see('control/response', answered, 700);
        return;
      } catch {
        // Not yet.
      }
    }
    assert.fail('it does not answer a ping');
  }
}
