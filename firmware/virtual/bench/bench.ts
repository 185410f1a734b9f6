import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompactSign, exportJWK, generateKeyPair } from 'jose';
import { until } from '#deploy/lab/primitives/until.ts';
import type { DownloadRequest, Manifest } from '#emqx/protocol.ts';
import { type DeviceOptions, type DeviceState, startDevice, type VirtualDevice } from '../device.ts';
import { enroll } from '../identity.ts';
import { buildImage } from '../image.ts';
import type { Timing } from '../options.ts';
import { Broker } from './broker.ts';
import { FileServer } from './file-server.ts';
import { createPki, type Pki } from './pki.ts';

export const quick: Partial<Timing> = {
  reconnectMinMs: 10,
  reconnectMaxMs: 60,
  connectMs: 2_000,
  resendMinMs: 100,
  resendMaxMs: 400,
  retryMinMs: 5,
  retryMaxMs: 40,
  urlRefreshMinMs: 30,
  urlRefreshMaxMs: 60,
  stallMs: 2_000,
  checkpointMs: 50,
  progressMs: 50,
  telemetryMs: 60_000,
  selfTestMs: 3_000,
  rebootMs: 5,
  renewCheckMs: 50,
  renewRetryMs: 200,
  askAgainMs: 50,
};

export const kib = 1024;

interface Shared {
  pki: Pki;
  server: { key: string; certificate: string };
  sign(payload: object, header?: Record<string, unknown>): Promise<string>;
  signWithStranger(payload: object, kid: string): Promise<string>;
  signingKeys: { keys: object[] };
}

let shared: Promise<Shared> | undefined;

async function createShared(): Promise<Shared> {
  const pki = await createPki();
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const stranger = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'key-1', alg: 'ES256', use: 'sig' };
  const signWith = (key: CryptoKey) => (payload: object, header: Record<string, unknown>) =>
    new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
      .setProtectedHeader({ alg: 'ES256', ...header })
      .sign(key);
  return {
    pki,
    server: await pki.server(),
    signingKeys: { keys: [jwk] },
    sign: (payload, header = { kid: 'key-1' }) => signWith(privateKey)(payload, header),
    signWithStranger: (payload, kid) => signWith(stranger.privateKey)(payload, { kid }),
  };
}

/** A device in its own directory, with a broker and a file server of its own. */
export class Bench {
  readonly dir = fs.mkdtempSync(join(tmpdir(), 'virtual-device-'));
  readonly deployment = randomUUID();
  readonly shared: Shared;
  readonly broker: Broker;
  readonly files: FileServer;
  readonly logs: string[] = [];
  #device: VirtualDevice | null = null;

  private constructor(parts: { shared: Shared; broker: Broker; files: FileServer }) {
    this.shared = parts.shared;
    this.broker = parts.broker;
    this.files = parts.files;
  }

  static async open(): Promise<Bench> {
    shared ??= createShared();
    const common = await shared;
    const broker = await Broker.start({ ...common.server, trust: common.pki.trust });
    const files = await FileServer.start(common.server);
    return new Bench({ shared: common, broker, files });
  }

  get device(): VirtualDevice {
    return this.#device!;
  }

  options(more: Partial<DeviceOptions> = {}): DeviceOptions {
    return {
      id: 'dev-1',
      dir: this.dir,
      hardware: 'esp32s3',
      mqttUrl: this.broker.url,
      trust: this.shared.pki.trust,
      signingKeys: this.shared.signingKeys,
      fsync: false,
      log: (level, message, fields) => this.logs.push(`${level} ${message} ${JSON.stringify(fields)}`),
      ...more,
      timing: { ...quick, ...more.timing },
      limits: { chunkStartBytes: 32 * kib, chunkCeilingBytes: 64 * kib, ...more.limits },
    };
  }

  async enroll(life?: { ageMs?: number; leftMs?: number }): Promise<void> {
    const { pki } = this.shared;
    await enroll({
      dir: this.dir,
      id: 'dev-1',
      url: 'https://flota.example',
      token: 'once',
      fsync: false,
      fetch: async (_url, init) => {
        const { csr } = JSON.parse(String(init?.body)) as { csr: string };
        return Response.json({ certificate: await pki.issue(csr, life), chain: pki.issuing });
      },
    });
  }

  async start(more: Partial<DeviceOptions> = {}): Promise<VirtualDevice> {
    await this.enroll();
    this.#device = startDevice(this.options(more));
    return this.#device;
  }

  async online(more: Partial<DeviceOptions> = {}): Promise<VirtualDevice> {
    const device = await this.start(more);
    await until('the device to be online', () => device.snapshot().online);
    return device;
  }

  /** Puts an image on the file server and returns what its manifest says. */
  publish(sizeBytes = 200 * kib, version = '1.0.0', selfTest: 'pass' | 'fail' = 'pass'): Manifest {
    this.files.image = buildImage({ version, sizeBytes, selfTest, seed: 7 });
    return {
      component: 'main',
      hardware: 'esp32s3',
      version,
      securityVersion: 0,
      fileName: 'image.bin',
      size: sizeBytes,
      sha256: createHash('sha256').update(this.files.image).digest('hex'),
    };
  }

  async request(
    manifest: Manifest,
    more: Partial<DownloadRequest> & { payload?: object } = {},
  ): Promise<void> {
    const { payload, ...fields } = more;
    this.broker.send('firmware/download/request', {
      deployment: this.deployment,
      attempt: 1,
      manifest: fields.manifest ?? (await this.shared.sign(payload ?? manifest)),
      url: this.files.url(),
      urlExpiresAt: new Date(Date.now() + 3600_000).toISOString(),
      ...fields,
    });
  }

  result(outcome?: string): Promise<Record<string, unknown>> {
    return this.broker.see('firmware/download/result', (it) => !outcome || it.outcome === outcome);
  }

  /** Resolves the moment the device shows a state, however short it is. */
  when(state: DeviceState): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.device.snapshot().state !== state) return;
        this.device.off('change', look);
        resolve();
      };
      this.device.on('change', look);
      look();
    });
  }

  async close(): Promise<void> {
    await this.#device?.close();
    await this.broker.close();
    await this.files.close();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}
