/**
 * Commands leave through here: claimed under a lease, sent in bulk after the commit, deleted once the broker has them. PostgreSQL is
 * the queue; the broker's session is only an optimisation, so a command for a device that is not subscribed waits here.
 */
import { randomUUID } from 'node:crypto';
import { and, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import type { PublishMessage, PublishOutcome } from '#emqx/api.ts';
import {
  type DownloadRequest,
  maxCertificateDownlinkBytes,
  maxDownlinkBytes,
  maxUrlBytes,
  mountedTopic,
} from '#emqx/protocol.ts';
import { certificates } from '../certificates/table.ts';
import type { Context } from '../context.ts';
import { type Db, query } from '../db/query.ts';
import type { Unsendable } from '../deployments/machine.ts';
import { defaultPolicy } from '../deployments/policy.ts';
import { type TargetState, workingStates } from '../deployments/states.ts';
import { among as amongTargets, Fold } from '../deployments/store.ts';
import { deployments, targets } from '../deployments/table.ts';
import { isOpen, type MaintenanceWindow } from '../deployments/window.ts';
import * as devices from '../devices/presence.ts';
import { components, devices as deviceTable, regions } from '../devices/table.ts';
import { defaultTimeZone } from '../devices/time-zone.ts';
import { deviceUrlLifetimeS, type PresignedUrl } from '../firmware/objects.ts';
import { noBase, patchFormat } from '../firmware/patches/format.ts';
import { holdMs, want } from '../firmware/patches/patches.ts';
import { patches } from '../firmware/patches/table.ts';
import { canOpen, isSealed } from '../firmware/sealing/sealing.ts';
import { firmwares } from '../firmware/table.ts';
import { maxBackOffS } from './outbox.ts';
import {
  holdForSealing,
  imageSeal,
  isReady,
  packedSeal,
  patchSeal,
  type Sealable,
  type Sendable,
  sealedOne,
  sealFor,
} from './sealed.ts';
import { outbox } from './table.ts';

/** As many as EMQX takes in a call where its throughput levels off. */
const batch = 1_000;
/** More a turn than a rollout's look starts, or they would wait in here while their time to answer runs. */
const perTurn = 4;
const leaseS = 30;
/** The images that are compressed, beside the patches. */
const packed = alias(patches, 'packed');
const sealed = isSealed(sql`${firmwares.hardware}`, sql`${firmwares.sealed}`);
/** Whether a patch, or a sealed object, that a request waits for is there. */
const lookAgainS = 1;

interface Row extends Sealable {
  id: string;
  topic: string;
  attempt: number | null;
  body: Record<string, unknown> | null;
  tries: number;
  manifest: string | null;
  s3Path: string | null;
  state: TargetState | null;
  window: MaintenanceWindow | null;
  timeZone: string | null;
  frozen: boolean | null;
  deferralEndsAt: Date | null;
  atDeadline: DownloadRequest['atDeadline'] | null;
  /** What the device attests, when it takes patches and has not given one up. */
  base: string | null;
  /** It takes compressed images, and has not given one up. */
  compressed: boolean | null;
  /** From what it attests, and out of nothing: made, being made, or not to be had. */
  patch: Patch | null;
  packed: Patch | null;
}

interface Patch extends Sendable {
  wantedAt: Date;
  /** Of the last try to make it. */
  error: string | null;
  manifest: string | null;
}

/** Claimed, and made into messages; not sent yet. */
interface Batch {
  /** There may be more that are due. */
  full: boolean;
  sendable: Row[];
  messages: PublishMessage[];
  unsendable: { row: Row; code: Unsendable }[];
  stale: Row[];
}

/**
 * Sends some batches; returns whether there may be more. While the broker takes one, the next is claimed and the one before is settled;
 * they are published one after the other, so a device's commands come in order. Throws what the broker's client throws.
 */
export async function send(context: Context): Promise<boolean> {
  let next = prepare(context);
  let settling: Promise<void> = Promise.resolve();
  let more = true;
  for (let i = 0; i < perTurn && more; i++) {
    const present = await next;
    more = present.full;
    if (more && i + 1 < perTurn) next = heard(prepare(context));
    try {
      const outcomes = await publish(context, present);
      await settling;
      settling = heard(settle(context, present, outcomes));
    } catch (error) {
      // What was claimed ahead must not overtake what comes again.
      if (more && i + 1 < perTurn) await release(context, next).catch(() => {});
      await settling;
      throw error;
    }
  }
  await settling;
  return more;
}

/** Somebody awaits it later, and is told of its fault then. */
function heard<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

async function prepare(context: Context): Promise<Batch> {
  const rows = await claim(context.db);
  const { live: due, stale } = split(rows);
  const patched = context.signer ? await holdForPatches(context.db, due) : { now: due, later: [] };
  const { now: live, later: unsealed, issuing } = await holdForSealing(context, patched.now);
  const later = [...patched.later, ...unsealed];
  if (later.length)
    await context.db
      .update(outbox)
      .set({ sendAt: sql`now() + make_interval(secs => ${lookAgainS})` })
      .where(among(later));
  // Signatures of one object made within a second are the same anyway, and each costs a millisecond.
  const urls = new Map<string, Promise<PresignedUrl>>();
  const presign = (s3Path: string) => {
    const url = urls.get(s3Path) ?? context.objects.presignForDevice(s3Path);
    urls.set(s3Path, url);
    return url;
  };
  const written = await Promise.all(
    live.map((row) => toMessage(row, presign, isRequest(row) ? sealFor(context, row, issuing) : null)),
  );
  const unsendable = live.flatMap((row, i) =>
    typeof written[i] === 'string' ? [{ row, code: written[i] }] : [],
  );
  const sendable = live.filter((_, i) => typeof written[i] !== 'string');
  const messages = written.filter((message) => typeof message !== 'string');
  return { full: rows.length === batch, sendable, messages, unsendable, stale };
}

async function publish(
  context: Context,
  { sendable, messages, unsendable, stale }: Batch,
): Promise<PublishOutcome[]> {
  let outcomes: PublishOutcome[];
  try {
    outcomes = messages.length ? await context.broker.publishBulk(messages) : [];
  } catch (error) {
    await backOff(context.db, sendable);
    await giveUp(context, unsendable);
    await remove(context.db, stale);
    throw error;
  }
  return outcomes;
}

/** The lease would end by itself; this is sooner. */
async function release(context: Context, claimed: Promise<Batch>): Promise<void> {
  const { sendable, unsendable, stale } = await claimed;
  await backOff(context.db, [...sendable, ...unsendable.map(({ row }) => row), ...stale]);
}

/** What is larger than a device takes would be sent for ever: its update has failed, and what belongs to none is dropped. */
async function giveUp(context: Context, rows: { row: Row; code: Unsendable }[]): Promise<void> {
  if (rows.length === 0) return;
  for (const { row, code } of rows) {
    context.log('error', 'command cannot be sent', { topic: row.topic, device: row.deviceId, code });
  }
  const requests = rows.filter(({ row }) => isRequest(row));
  const deploymentIds = await context.db.transaction(async (tx) => {
    const keyOf = ({ row }: { row: Row }) => ({ deploymentId: row.deploymentId!, deviceId: row.deviceId });
    const fold = await Fold.open(tx, amongTargets(requests.map(keyOf)));
    for (const { row, code } of requests) {
      const target = fold.find(row.deploymentId!, row.deviceId);
      if (target) fold.apply(target, { type: 'unsendable', attempt: row.attempt!, code });
    }
    await remove(
      tx,
      rows.map(({ row }) => row),
    );
    return (await fold.save(tx)).deploymentIds;
  });
  context.live.changed('deployment', ...deploymentIds);
}

/**
 * Leases rows that are due, oldest first; a request comes with what its message is made of if its attempt is still alive. A cancel waits
 * until its request has left or was dropped: another copy may hold that, and a device would take it after the cancel. Who is blocked is
 * listed once, for they are few.
 */
async function claim(db: Db): Promise<Row[]> {
  const claimed = await query<{ id: string }>(
    db,
    sql`update outbox set send_at = now() + make_interval(secs => ${leaseS}), tries = tries + 1
        where id in (
          select id from outbox o where send_at <= now()
            and o.device_id not in (select d.id from devices d where d.blocked)
            and not (o.topic = 'firmware/download/cancel' and exists (
              select 1 from outbox e where e.device_id = o.device_id and e.deployment_id = o.deployment_id and e.id < o.id))
          order by id limit ${batch} for update skip locked)
        returning id`,
  );
  if (claimed.length === 0) return [];
  const rows = await db
    .select({
      id: sql<string>`${outbox.id}::text`,
      deviceId: outbox.deviceId,
      topic: outbox.topic,
      deploymentId: outbox.deploymentId,
      attempt: outbox.attempt,
      body: outbox.body,
      tries: outbox.tries,
      manifest: firmwares.manifest,
      undoManifest: deployments.undoManifest,
      s3Path: firmwares.s3Path,
      state: targets.state,
      window: sql<MaintenanceWindow | null>`${deployments.policy} -> 'window'`,
      timeZone: regions.timeZone,
      frozen: sql<boolean | null>`${deployments.freezeOverride} is null and exists (
        select from freezes where starts_at <= now() and now() < ends_at)`,
      deferralEndsAt: targets.deferralEndsAt,
      atDeadline: sql<DownloadRequest['atDeadline'] | null>`${deployments.policy} ->> 'atDeadline'`,
      base: sql<string | null>`case when ${components.patch} = ${patchFormat} then ${components.sha256} end`,
      compressed: components.compressed,
      result: firmwares.sha256,
      patch: {
        state: patches.state,
        wantedAt: patches.wantedAt,
        error: patches.error,
        manifest: patches.manifest,
        s3Path: patches.s3Path,
      },
      packed: {
        state: packed.state,
        wantedAt: packed.wantedAt,
        error: packed.error,
        manifest: packed.manifest,
        s3Path: packed.s3Path,
      },
      isSealed: sealed as SQL<boolean | null>,
      canOpen: canOpen(sql`${outbox.deviceId}`) as SQL<boolean>,
      // A kilobyte that nobody else needs.
      certificate: sql<string | null>`case when ${sealed} then ${certificates.certificate} end`,
      sealedImage: sealedOne(imageSeal),
      sealedPatch: sealedOne(patchSeal),
      sealedPacked: sealedOne(packedSeal),
    })
    .from(outbox)
    .leftJoin(
      targets,
      and(
        eq(targets.deploymentId, outbox.deploymentId),
        eq(targets.deviceId, outbox.deviceId),
        eq(targets.attempt, outbox.attempt),
      ),
    )
    // Here and not in the join of the target, which is found by its key whatever the planner was last told of how many are under way.
    .leftJoin(
      deployments,
      and(eq(deployments.id, targets.deploymentId), inArray(targets.state, workingStates)),
    )
    .leftJoin(firmwares, eq(firmwares.id, deployments.firmwareId))
    .leftJoin(
      components,
      and(
        eq(components.deviceId, targets.deviceId),
        eq(components.component, targets.component),
        isNull(targets.patchFault),
        isNull(deployments.undoManifest),
      ),
    )
    .leftJoin(
      patches,
      and(
        eq(patches.base, components.sha256),
        eq(patches.result, firmwares.sha256),
        eq(components.patch, patchFormat),
      ),
    )
    .leftJoin(
      packed,
      and(eq(packed.base, noBase), eq(packed.result, firmwares.sha256), eq(components.compressed, true)),
    )
    .leftJoin(imageSeal, eq(imageSeal.sha256, firmwares.sha256))
    .leftJoin(patchSeal, and(eq(patches.state, 'ready'), eq(patchSeal.sha256, patches.sha256)))
    .leftJoin(packedSeal, and(eq(packed.state, 'ready'), eq(packedSeal.sha256, packed.sha256)))
    .leftJoin(deviceTable, eq(deviceTable.id, targets.deviceId))
    .leftJoin(regions, eq(regions.id, deviceTable.regionId))
    .leftJoin(certificates, eq(certificates.serial, deviceTable.certificateSerial))
    .where(among(claimed))
    .orderBy(outbox.id);
  return rows;
}

/**
 * A request whose attempt was cancelled, replaced or has ended must not be sent any more; nor one that would start an update while the
 * maintenance window is closed or a freeze holds (it was late, or the device came back late): its attempt times out.
 */
function split(rows: Row[]): { live: Row[]; stale: Row[] } {
  const now = Date.now();
  const isLate = ({ state, window, timeZone, frozen }: Row) =>
    state === 'sent' && (frozen || (window !== null && !isOpen(window, timeZone ?? defaultTimeZone, now)));
  const isStale = (row: Row) => isRequest(row) && (row.s3Path === null || isLate(row));
  return { live: rows.filter((row) => !isStale(row)), stale: rows.filter(isStale) };
}

/**
 * A request that a patch could serve has it made, and waits for it for a while, but not for one that could not be made at once. One that no
 * patch can serve has its image compressed.
 */
async function holdForPatches(db: Db, rows: Row[]): Promise<{ now: Row[]; later: Row[] }> {
  const requests = rows.filter(isRequest);
  const begun = await wantAll(
    db,
    requests.filter((row) => row.base !== null && row.patch === null),
    (row) => row.base!,
  );
  const others = requests.filter((row) => !begun.has(row) && !isOnItsWay(row.patch) && !isReady(row.patch));
  const begunPacked = await wantAll(
    db,
    others.filter((row) => row.compressed && row.packed === null),
    () => noBase,
  );
  const later = requests.filter(
    (row) =>
      begun.has(row) ||
      begunPacked.has(row) ||
      isOnItsWay(row.patch) ||
      (!isReady(row.patch) && isOnItsWay(row.packed)),
  );
  const held = new Set(later);
  return { now: rows.filter((row) => !held.has(row)), later };
}

/** Those of which the making begins. */
async function wantAll(db: Db, rows: Row[], baseOf: (row: Row) => string): Promise<Set<Row>> {
  if (rows.length === 0) return new Set();
  const pairs = JSON.stringify(rows.map((row) => ({ base: baseOf(row), result: row.result })));
  const wanted = await want(
    db,
    sql`select base, result from jsonb_to_recordset(${pairs}::jsonb) as v(base text, result text)`,
  );
  const begun = new Set(wanted.map(({ base, result }) => `${base} ${result}`));
  return new Set(rows.filter((row) => begun.has(`${baseOf(row)} ${row.result}`)));
}

function isOnItsWay(patch: Patch | null): boolean {
  return patch?.state === 'wanted' && patch.error === null && patch.wantedAt.getTime() > Date.now() - holdMs;
}

function isRequest(row: Row): boolean {
  return row.topic === 'firmware/download/request';
}

/** A code instead, when it is larger than devices take. */
async function toMessage(
  row: Row,
  presign: (s3Path: string) => Promise<PresignedUrl>,
  seal: ReturnType<typeof sealFor>,
): Promise<PublishMessage | Unsendable> {
  const common = { id: randomUUID(), at: new Date().toISOString() };
  const attempt = { deployment: row.deploymentId, attempt: row.attempt };
  let payload: Record<string, unknown>;
  if (isRequest(row)) {
    const what = row.undoManifest ? { manifest: row.undoManifest } : await toDownload(row, presign, seal);
    if (typeof what === 'string') return what;
    payload = {
      ...common,
      ...attempt,
      ...what,
      ...(row.deferralEndsAt && {
        deadlineUnixMs: row.deferralEndsAt.getTime(),
        atDeadline: row.atDeadline ?? defaultPolicy.atDeadline,
      }),
    };
  } else if (row.topic === 'firmware/download/cancel') {
    payload = { ...common, ...attempt };
  } else {
    payload = { ...common, ...row.body };
  }
  const text = JSON.stringify(payload);
  const isCertificate = row.topic.endsWith('cert/renew/response');
  if (Buffer.byteLength(text) > (isCertificate ? maxCertificateDownlinkBytes : maxDownlinkBytes)) {
    return 'command_too_large';
  }
  return {
    topic: mountedTopic(row.deviceId, row.topic),
    payload: text,
    qos: 1,
    traceparent: traceOf(common.id),
    // Subscribing brings a request again, with a fresh URL; any other command would be lost with its message.
    ...(isRequest(row) && { messageExpirySeconds: deviceUrlLifetimeS }),
  };
}

/** The trace id is the message's id, so that one search finds both: https://www.w3.org/TR/trace-context/ */
function traceOf(id: string): string {
  const hex = id.replaceAll('-', '');
  return `00-${hex}-${hex.slice(16)}-01`;
}

async function toDownload(
  row: Row,
  presign: (s3Path: string) => Promise<PresignedUrl>,
  seal: ReturnType<typeof sealFor>,
) {
  if (typeof seal === 'string') return seal;
  const { manifest, s3Path } = [row.patch, row.packed].find(isReady) ?? row;
  const signed = await presign(seal?.s3Path ?? s3Path!);
  const { expiresAt } = signed;
  const url = signed.url + (seal?.fragment ?? '');
  if (Buffer.byteLength(url) > maxUrlBytes) return 'url_too_long';
  return { manifest, url, urlExpiresAt: expiresAt.toISOString() };
}

async function settle(
  context: Context,
  { sendable: live, unsendable, stale }: Batch,
  outcomes: PublishOutcome[],
): Promise<void> {
  await giveUp(context, unsendable);
  if (live.length + stale.length === 0) return;
  const of = (kind: PublishOutcome['kind']) => live.filter((_, i) => outcomes[i]?.kind === kind);
  const refused = of('refused');
  for (const row of refused) {
    const outcome = outcomes[live.indexOf(row)] as Extract<PublishOutcome, { kind: 'refused' }>;
    context.log('error', 'command refused by the broker', {
      topic: row.topic,
      device: row.deviceId,
      reason: outcome.reason,
    });
  }
  // Subscribing brings a request again, with a fresh URL; everything else waits here for the device.
  const absent = of('no_subscriber');
  await devices.markDeaf(
    context.db,
    absent.map((row) => row.deviceId),
    leaseS,
  );
  await remove(context.db, [...stale, ...of('routed'), ...refused, ...absent.filter(isRequest)]);
  await park(
    context.db,
    absent.filter((row) => !isRequest(row)),
  );
  await backOff(context.db, of('failed'));
}

/** Condition on `outbox`: these rows. One parameter, however many; an array, so that the planner knows how many. */
function among(rows: { id: string }[]) {
  return sql`${outbox.id} = any(${`{${rows.map((r) => r.id).join(',')}}`}::bigint[])`;
}

async function remove(db: Db, rows: Row[]): Promise<void> {
  if (rows.length) await db.delete(outbox).where(among(rows));
}

/**
 * Until the device subscribes; if it has done so while its command was under way, nothing would wake the command, so that one is
 * tried again. The device's row is locked first: a subscription commits before it (and is seen) or after it (and unparks).
 */
async function park(db: Db, rows: Row[]): Promise<void> {
  if (rows.length === 0) return;
  await db.transaction(async (tx) => {
    const reachable = await devices.lockReachable(
      tx,
      rows.map((r) => r.deviceId),
    );
    await backOff(
      tx,
      rows.filter((r) => reachable.has(r.deviceId)),
    );
    const parked = rows.filter((r) => !reachable.has(r.deviceId));
    if (parked.length) await tx.update(outbox).set({ sendAt: null }).where(among(parked));
  });
}

async function backOff(db: Db, rows: Row[]): Promise<void> {
  if (rows.length === 0) return;
  await db
    .update(outbox)
    .set({ sendAt: sql`now() + make_interval(secs => least(${maxBackOffS}, power(2, least(tries, 10))))` })
    .where(among(rows));
}
