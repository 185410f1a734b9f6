import { createHash, type Hash } from 'node:crypto';
import {
  type AgentPort,
  crashFrames,
  failed,
  levels,
  ok,
  renewals,
  storeKeys,
  telemetryTopics,
} from './agent-port.ts';
import { isStorageFailure } from './flash.ts';
import type { ModuleMemory } from './module-memory.ts';
import type { Consent } from './options.ts';
import { gcmOpen, sealAgree, sealKey } from './seal.ts';

const selfTests = { pass: ok, fail: failed.install, busy: failed.busy } as const;

/** What `wasm/glue.c` imports. The first argument is the address of the agent; `port` finds its port. */
export function createImports(
  memory: ModuleMemory,
  port: (device: number) => AgentPort,
): Record<string, (device: number, ...rest: number[]) => unknown> {
  const hashes = new Map<number, Hash>();
  const topics = new Map<number, string>();
  const view = (address: number, bytes: number) => memory.view(address, bytes);
  /** Topics are constants of the module. */
  const topicAt = (address: number): string => {
    const known = topics.get(address);
    if (known !== undefined) return known;
    const topic = memory.text(address);
    topics.set(address, topic);
    return topic;
  };
  /** As `ota_ask` returns it: 0 is now, the largest is no. A reason that does not fit is left out. */
  const waitMs = (consent: Consent, reason: number, capacity: number): number => {
    if (consent === 'now') return 0;
    memory.put(consent.reason, reason, capacity);
    return consent.forMs === undefined ? 0xffff_ffff : Math.max(1, Math.min(consent.forMs, 0xffff_fffe));
  };
  return {
    mqtt_connect: (n, pair) => {
      port(n).mqtt.connect(pair === 1 ? 'new' : 'current');
      return ok;
    },
    mqtt_disconnect: (n) => port(n).mqtt.disconnect(),
    mqtt_publish: (n, topic, data, bytes) => port(n).mqtt.publish(topicAt(topic!), view(data!, bytes!)),
    mqtt_poll: (n, inbox, capacity, topic, topicCapacity, bytes) => {
      const event = port(n).mqtt.poll();
      if (!event) return 0;
      if (event.type === 'connected') return 1;
      if (event.type === 'disconnected') return event.reached ? 2 | 0x100 : 2;
      if (memory.put(event.topic, topic!, topicCapacity!) < 0) return 0;
      if (event.payload.length <= capacity!) view(inbox!, capacity!).set(event.payload);
      memory.bytes.writeUInt32LE(event.payload.length, bytes! >>> 0);
      return 3;
    },
    http_get: (n, url, from, to) => {
      port(n).http.get(memory.text(url!), to === 0 ? null : { from: from! >>> 0, to: to! >>> 0 });
      return ok;
    },
    http_head: (n, text, capacity) => {
      const head = port(n).http.head();
      return typeof head === 'string' ? memory.put(head, text!, capacity!) : (head ?? 0);
    },
    http_read: (n, data, capacity) => port(n).http.read(view(data!, capacity!)),
    http_end: (n, keep) => port(n).http.end(keep === 1),
    staging_bytes: (n) =>
      Math.max(
        0,
        attempt(() => port(n).staging.bytes()),
      ),
    staging_write: (n, at, data, bytes) =>
      attempt(() => port(n).staging.write(at! >>> 0, view(data!, bytes!))),
    staging_read: (n, at, data, bytes) => attempt(() => port(n).staging.read(at! >>> 0, view(data!, bytes!))),
    staging_sync: (n) => attempt(() => port(n).staging.sync()),
    staging_clear: (n) => attempt(() => port(n).staging.clear()),
    store_read: (n, key, data, capacity) =>
      attempt(() => {
        const blob = port(n).store.read(storeKeys[key!]!);
        if (!blob) return failed.absent;
        if (blob.length > capacity!) return failed.space;
        view(data!, blob.length).set(blob);
        return blob.length;
      }),
    store_write: (n, key, data, bytes) =>
      attempt(() => port(n).store.write(storeKeys[key!]!, view(data!, bytes!))),
    cert_validity: (n, notBefore, notAfter) =>
      attempt(() => {
        const { validity } = port(n).certificates;
        memory.bytes.writeDoubleLE(validity.notBefore, notBefore! >>> 0);
        memory.bytes.writeDoubleLE(validity.notAfter, notAfter! >>> 0);
      }),
    cert_state: (n) => renewals[port(n).certificates.renewal],
    cert_request: (n, csr, capacity) =>
      attempt(() => Math.min(ok, memory.put(port(n).certificates.request(), csr!, capacity!))),
    cert_store: (n, certificate, chain) =>
      attempt(() => {
        const problem = port(n).certificates.store(memory.text(certificate!), memory.text(chain!));
        return problem === null ? ok : failed.certificate;
      }),
    cert_promote: (n) => attempt(() => port(n).certificates.promote()),
    cert_drop: (n) => attempt(() => port(n).certificates.drop()),
    sha256_start: (n) => {
      hashes.set(n, createHash('sha256'));
      return ok;
    },
    sha256_update: (n, data, bytes) => {
      hashes.get(n)!.update(view(data!, bytes!));
      return ok;
    },
    sha256_finish: (n, digest) => {
      view(digest!, 32).set(hashes.get(n)!.digest());
      hashes.delete(n);
      return ok;
    },
    es256_verify: (n, xy, message, bytes, signature) =>
      port(n).verify(view(xy!, 64), view(message!, bytes!), view(signature!, 64)) ? ok : failed.signature,
    seal_key: (n, xy) => {
      const key = sealKey(port(n).certificates.pair('current').key);
      if (!key) return failed.absent;
      view(xy!, 64).set(key);
      return ok;
    },
    seal_agree: (n, xy, secret) => {
      const agreed = sealAgree(port(n).certificates.pair('current').key, view(xy!, 64));
      if (!agreed) return failed.signature;
      view(secret!, 32).set(agreed);
      return ok;
    },
    gcm_open: (_, key, nonce, extra, extraBytes, data, bytes, tag) => {
      const target = view(data!, bytes!);
      const plain = gcmOpen(
        view(key!, 32),
        view(nonce!, 12),
        view(extra!, extraBytes!),
        target,
        view(tag!, 16),
      );
      if (!plain) return failed.signature;
      target.set(plain);
      return ok;
    },
    uptime_ms: (n) => port(n).uptimeMs(),
    unix_ms: (n) => port(n).unixMs() ?? -1,
    random: (n, data, bytes) => {
      port(n).random(view(data!, bytes!));
      return ok;
    },
    // `poll` tells it.
    reboot: () => {},
    log: (n, level, text) => port(n).log(levels[level!]!, memory.text(text!)),
    telemetry: (n, index, fields, capacity) => {
      const message = port(n).telemetry(index!);
      if (!message || memory.put(message.fields, fields!, capacity!) < 0) return failed.absent;
      return telemetryTopics.indexOf(message.topic);
    },
    command: (n, name, args, result, capacity) => {
      const answer = port(n).command(memory.text(name!), memory.text(args!));
      return answer === null ? failed.absent : Math.min(ok, memory.put(answer, result!, capacity!));
    },
    crash: (n, id, reason, task, elf, addresses) => {
      const crash = port(n).crash.read();
      if (!crash) return failed.absent;
      memory.put(crash.id.slice(0, 64), id!, 65);
      memory.put(crash.reason.slice(0, 64), reason!, 65);
      memory.put(crash.task?.slice(0, 16) ?? '', task!, 17);
      memory.put(crash.elf, elf!, 65);
      const all = [crash.pc, ...crash.backtrace.slice(0, crashFrames)];
      for (const [i, address] of all.entries())
        memory.bytes.writeDoubleLE(address, (addresses! >>> 0) + 8 * i);
      return all.length;
    },
    crash_forget: (n) => attempt(() => port(n).crash.forget()),
    slot_running: (n, version, capacity, securityVersion, size, sha256) => {
      const image = port(n).slots.running;
      memory.bytes.writeDoubleLE(image.securityVersion, securityVersion! >>> 0);
      memory.bytes.writeUInt32LE(image.size, size! >>> 0);
      view(sha256!, 32).write(image.sha256, 'hex');
      return Math.min(ok, memory.put(image.version, version!, capacity!));
    },
    slot_begin: (n) => attempt(() => port(n).slots.begin()),
    slot_write: (n, at, data, bytes) => attempt(() => port(n).slots.write(at! >>> 0, view(data!, bytes!))),
    slot_finish: (n) => attempt(() => port(n).slots.finish()),
    slot_read: (n, at, data, bytes) => attempt(() => port(n).slots.read(at! >>> 0, view(data!, bytes!))),
    slot_read_running: (n, at, data, bytes) =>
      attempt(() => port(n).slots.readRunning(at! >>> 0, view(data!, bytes!))),
    slot_activate: (n, version, securityVersion, size, sha256) =>
      attempt(() =>
        port(n).slots.activate({
          version: memory.text(version!),
          securityVersion: securityVersion!,
          size: size! >>> 0,
          sha256: view(sha256!, 32).toString('hex'),
        }),
      ),
    slot_trial: (n) => Number(port(n).slots.onTrial),
    slot_confirm: (n) => attempt(() => port(n).slots.confirm()),
    slot_revert: (n) => attempt(() => port(n).slots.revert()),
    slot_self_test: (n) => attempt(() => selfTests[port(n).slots.selfTest]),
    may_install: (n, reason, capacity) => waitMs(port(n).mayInstall(), reason!, capacity!),
    may_reboot: (n, reason, capacity) => waitMs(port(n).mayReboot(), reason!, capacity!),
  };
}

/** The number that `work` returns, or `ok`; a storage failure when the storage is at fault. */
function attempt(work: () => unknown): number {
  try {
    const code = work();
    return typeof code === 'number' ? code : ok;
  } catch (error) {
    if (!isStorageFailure(error)) throw error;
    return failed.storage;
  }
}
