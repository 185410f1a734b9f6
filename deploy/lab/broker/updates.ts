import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildImage } from '#firmware/virtual/image.ts';
import { type Fleet, hardware } from '../fleet/devices.ts';
import { until } from '../primitives/until.ts';
import * as rest from '../rest.ts';
import { type Deployment, listTargets, registerFirmware, unwrap } from '../rest.ts';
import type { Bed } from './bed.ts';

export function defineUpdates(bed: () => Bed): void {
  let fleet: Fleet;

  async function register(version: string, image: Buffer): Promise<string> {
    return (await registerFirmware(bed().rest, image, { version, fileName: 'image.bin', hardware })).id;
  }

  const deploy = (firmwareId: string, devices: string[]) => rest.deploy(bed().rest, { firmwareId, devices });

  function finished(id: string): Promise<Deployment> {
    return until(
      () => rest.readDeployment(bed().rest, id),
      (d) => d.state !== 'running',
    );
  }

  describe('a deployment through the whole system', () => {
    beforeAll(async () => {
      const ids = ['update-1', 'update-2', 'update-3'].map(bed().idOf);
      fleet = await bed().start(3, {
        ids,
        bytesPerSecond: 400_000,
        timing: { reconnectMinMs: 100, retryMinMs: 50 },
      });
    });

    it('succeeds on every device, and resumes on the one whose connections broke in the middle', async () => {
      const image = buildImage({ version: '2.0.0', sizeBytes: 1024 * 1024, selfTest: 'pass', seed: 2 });
      const ids = fleet.devices.map((d) => d.id);
      const { id } = await deploy(await register('2.0.0', image), ids);

      const victim = fleet.devices[0]!;
      await until(
        () => victim.snapshot().receivedBytes,
        (received) => received > 200_000,
      );
      victim.cutNetwork(500);

      const done = await finished(id);
      expect(done.counts).toMatchObject({ succeeded: 3 });
      expect(done.figures.resumedDownloads).toBe(1);
      expect(done.figures.successRate).toBe(1);
      for (const device of fleet.devices) expect(device.snapshot().running?.version).toBe('2.0.0');
      const listed = await unwrap(bed().rest.api.devices[':id'].$get({ param: { id: victim.id } }));
      expect(listed.running).toMatchObject([{ component: 'main', version: '2.0.0' }]);
    });

    it('survives a power cut in the middle of a download', async () => {
      const image = buildImage({ version: '2.1.0', sizeBytes: 1536 * 1024, selfTest: 'pass', seed: 3 });
      const [device] = fleet.devices;
      const { id } = await deploy(await register('2.1.0', image), [device!.id]);
      await until(
        () => device!.snapshot().receivedBytes,
        // Past the first checkpoints, which are written about once a second.
        (received) => received > 700_000,
      );
      device!.powerCut();
      const done = await finished(id);
      expect(done.counts).toMatchObject({ succeeded: 1 });
      expect(done.figures.resumedDownloads).toBe(1);
    });

    it('rolls back an image that fails its self-test, and says so', async () => {
      const image = buildImage({ version: '2.2.0', sizeBytes: 100_000, selfTest: 'fail', seed: 4 });
      const [device] = fleet.devices;
      const before = device!.snapshot().running;
      const { id } = await deploy(await register('2.2.0', image), [device!.id]);
      const done = await finished(id);
      expect(done.counts).toMatchObject({ rolled_back: 1, succeeded: 0 });
      expect((await listTargets(bed().rest, id))[0]!.error!.code).toBe('self_test_failed');
      await until(
        () => device!.snapshot().running?.sha256,
        (sha256) => sha256 === before!.sha256,
      );
    });

    it('never installs an image that was changed in the store', async () => {
      const image = buildImage({ version: '2.3.0', sizeBytes: 100_000, selfTest: 'pass', seed: 5 });
      const firmwareId = await register('2.3.0', image);
      tamper(join(bed().dataDir, 'store'), image);
      const [device] = fleet.devices;
      const { id } = await deploy(firmwareId, [device!.id]);
      const target = await until(
        async () => (await listTargets(bed().rest, id))[0]!,
        (t) => t.error !== null,
      );
      expect(target.error!.code).toBe('digest_mismatch');
      expect(device!.snapshot().running?.version).not.toBe('2.3.0');
      await unwrap(bed().rest.api.deployments[':id'].cancel.$post({ param: { id } }));
      expect((await finished(id)).state).toBe('cancelled');
    });

    it('cancels while devices download, and the devices agree', async () => {
      const image = buildImage({ version: '2.4.0', sizeBytes: 2 * 1024 * 1024, selfTest: 'pass', seed: 6 });
      const ids = fleet.devices.map((d) => d.id);
      const { id } = await deploy(await register('2.4.0', image), ids);
      await until(
        () => fleet.devices.map((d) => d.snapshot().receivedBytes),
        (received) => received.every((bytes) => bytes > 0),
      );
      await unwrap(bed().rest.api.deployments[':id'].cancel.$post({ param: { id } }));
      await until(
        () => listTargets(bed().rest, id),
        (targets) => targets.every((t) => t.state === 'cancelled'),
      );
      for (const device of fleet.devices) {
        await until(
          () => device.snapshot().state,
          (state) => state === 'idle',
        );
        expect(device.snapshot().running?.version).not.toBe('2.4.0');
      }
    });

    it('refuses a manifest that somebody has tampered with on the way', async () => {
      const image = buildImage({ version: '2.5.0', sizeBytes: 50_000, selfTest: 'pass', seed: 7 });
      const firmwareId = await register('2.5.0', image);
      // As an intruder in the broker would: the same claims with a higher version, the signature kept.
      const forged = await bed().rest.api.firmware[':id'].manifest.$put({
        param: { id: firmwareId },
        json: { manifest: 'eyJhbGciOiJFUzI1NiJ9.eyJ2ZXJzaW9uIjoiOS45LjkifQ.c2ln' },
      });
      expect(forged.status).toBe(422);
      expect(await forged.json()).toMatchObject({ code: 'manifest_invalid' });
    });
  });
}

/** Flips one byte of the stored object, wherever the store keeps it. */
function tamper(dir: string, image: Buffer): void {
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    const path = join(dir, name);
    if (!statSync(path).isFile() || statSync(path).size < image.length) continue;
    const content = readFileSync(path);
    const at = content.indexOf(image.subarray(1000, 1100));
    if (at < 0) continue;
    content[at + 50]! ^= 1;
    writeFileSync(path, content);
    return;
  }
  throw new Error('the object is not in the store');
}
