/** What belongs to one device: commands and their answers, logs, measurements, status, past updates. */
import { createRoute, z } from '@hono/zod-openapi';
import { deviceIdSchema } from '#emqx/protocol.ts';
import type { Context } from '../context.ts';
import { failureReasons } from '../deployments/failures.ts';
import { listForDevice } from '../deployments/history.ts';
import { deferredSchema } from '../deployments/schema.ts';
import { targetStates } from '../deployments/states.ts';
import { presentDeferral } from '../deployments/target-list.ts';
import * as devices from '../devices/devices.ts';
import { ensureKnown } from '../devices/known.ts';
import { AppError } from '../errors.ts';
import {
  access,
  alwaysPaging,
  answer,
  createRouter,
  jsonBody,
  moment,
  page,
  problems,
  wholeNumber,
} from '../http.ts';
import { type Command, commandFields, listCommands as list, sendCommand as sendTo } from './commands.ts';
import * as measurements from './measurements.ts';
import { hourMs, minuteMs } from './points.ts';
import { isOfData, measuredTopics } from './topics.ts';

const maxBuckets = 2_000;

const device = z.object({ id: deviceIdSchema });
const json = z.record(z.string(), z.unknown());

const commandSchema = z
  .object({
    id: z.string(),
    command: z.string(),
    args: json.nullable(),
    createdBy: z.string(),
    createdAt: z.string(),
    answeredAt: z.string().nullable(),
    /** Null until it is answered. */
    ok: z.boolean().nullable(),
    result: z.unknown().optional(),
    error: z.object({ code: z.string(), message: z.string().optional() }).nullable(),
  })
  .openapi('Command');

const sendCommand = createRoute({
  method: 'post',
  path: '/api/devices/{id}/commands',
  ...access('operator', 'devices'),
  summary: 'Send a command; it waits for a device that is away',
  request: {
    params: device,
    ...jsonBody(z.object(commandFields)),
  },
  responses: { 202: answer('The command', commandSchema), ...problems },
});
const listCommands = createRoute({
  method: 'get',
  path: '/api/devices/{id}/commands',
  ...access('viewer', 'devices'),
  summary: 'Commands and their answers, newest first',
  request: { params: device, query: alwaysPaging },
  responses: { 200: answer('A page', page(commandSchema)), ...problems },
});
const listLogs = createRoute({
  method: 'get',
  path: '/api/devices/{id}/logs',
  ...access('viewer', 'devices'),
  summary: 'What the device logged, newest first; `level` is the lowest',
  request: {
    params: device,
    query: alwaysPaging.extend({
      level: z.enum(measurements.logLevels).optional(),
      from: moment.optional(),
      to: moment.optional(),
    }),
  },
  responses: {
    200: answer('A page', page(z.object({ at: z.string(), level: z.string(), message: z.string() }))),
    ...problems,
  },
});
const getStatus = createRoute({
  method: 'get',
  path: '/api/devices/{id}/status',
  ...access('viewer', 'devices'),
  summary: 'The last health report, and the last message of each kind of measurement',
  request: { params: device },
  responses: {
    200: answer(
      'The status',
      z.object({
        health: json.nullable(),
        latest: z.array(z.object({ topic: z.string(), at: z.string(), body: json })),
      }),
    ),
    ...problems,
  },
});
const chart = createRoute({
  method: 'get',
  path: '/api/devices/{id}/telemetry',
  ...access('viewer', 'devices'),
  summary: 'A measured value over time, bucketed',
  request: {
    params: device,
    query: z.object({
      topic: z.enum(measuredTopics),
      value: z.string().min(1).max(64),
      from: moment.optional(),
      to: moment.optional(),
      bucketMs: wholeNumber(1_000, 31 * 86_400_000).optional(),
    }),
  },
  responses: {
    200: answer(
      'Buckets without a value are left out; by default a day in 200 buckets or less. What is older than `TELEMETRY_RAW_HOURS` is known by the minute, and in buckets of an hour or more by the hour: `from` is then the beginning of one',
      z.object({
        from: z.string(),
        to: z.string(),
        bucketMs: z.int(),
        points: z.array(
          z.object({ at: z.string(), min: z.number(), avg: z.number(), max: z.number(), count: z.int() }),
        ),
      }),
    ),
    ...problems,
  },
});
const listHistory = createRoute({
  method: 'get',
  path: '/api/devices/{id}/firmware_history',
  ...access('viewer', 'devices'),
  summary: 'What deployments did to the device, newest first',
  request: { params: device, query: alwaysPaging },
  responses: {
    200: answer(
      'A page',
      page(
        z.object({
          deployment: z.uuid(),
          firmware: z.object({ id: z.uuid(), name: z.string(), version: z.string() }),
          component: z.string(),
          state: z.enum(targetStates),
          attempt: z.int(),
          errorCode: z.enum(failureReasons).nullable(),
          deferred: deferredSchema.nullable(),
          downloadMs: z.number().nullable(),
          /** From the network, as the device has counted them; an undo's are none. */
          receivedBytes: z.number().nullable(),
          createdAt: z.string(),
          updatedAt: z.string(),
        }),
      ),
    ),
    ...problems,
  },
});

export function deviceDataRoutes(context: Context) {
  const { db } = context;
  return createRouter()
    .openapi(sendCommand, async (c) => {
      const { command, args } = c.req.valid('json');
      const { id } = c.req.valid('param');
      const sent = await sendTo(context, c.get('reach'), id, command, args, c.get('caller').name);
      context.live.changed('command', id);
      return c.json(presentCommand(sent), 202);
    })
    .openapi(listCommands, async (c) => {
      const { id } = c.req.valid('param');
      await ensureKnown(db, c.get('reach'), id);
      const { items, ...rest } = await list(db, id, c.req.valid('query'));
      return c.json({ items: items.map(presentCommand), ...rest }, 200);
    })
    .openapi(listLogs, async (c) => {
      const { id } = c.req.valid('param');
      await ensureKnown(db, c.get('reach'), id);
      const { from, to, ...rest } = c.req.valid('query');
      const { items, ...total } = await measurements.listLogs(db, id, {
        ...rest,
        from: from ? new Date(from) : undefined,
        to: to ? new Date(to) : undefined,
      });
      return c.json({ items: items.map((row) => ({ ...row, at: row.at.toISOString() })), ...total }, 200);
    })
    .openapi(getStatus, async (c) => {
      const { id } = c.req.valid('param');
      const health = await devices.getHealth(db, c.get('reach'), id);
      const own = await measurements.getLatest(db, id);
      const moved = (await context.telemetry?.getLatest(id)) ?? [];
      const latest = [...own.filter((row) => !moved.some(({ topic }) => topic === row.topic)), ...moved];
      return c.json({ health, latest: latest.map((row) => ({ ...row, at: row.at.toISOString() })) }, 200);
    })
    .openapi(chart, async (c) => {
      const { id: deviceId } = c.req.valid('param');
      await ensureKnown(db, c.get('reach'), deviceId);
      const { topic, value, ...range } = c.req.valid('query');
      const to = new Date(range.to ?? Date.now());
      const asked = range.from === undefined ? to.getTime() - 86_400_000 : Date.parse(range.from);
      const spanMs = to.getTime() - asked;
      const bucketMs = range.bucketMs ?? whole(Math.max(1000, Math.ceil(spanMs / 200)));
      // Where what is older begins.
      const from = new Date(asked - (asked % stepMs(bucketMs)));
      if (spanMs <= 0) throw new AppError('invalid_request', 'from: must be before to');
      if (spanMs / bucketMs > maxBuckets) {
        throw new AppError('invalid_request', `bucketMs: would make more than ${maxBuckets} buckets`);
      }
      const chart = { deviceId, topic, value, from, to, bucketMs };
      const elsewhere = isOfData(topic) ? context.telemetry : null;
      const points = await (elsewhere?.bucket(chart) ?? measurements.bucket(db, chart));
      const shown = points.map((p) => ({ ...p, at: new Date(p.at).toISOString() }));
      return c.json({ from: from.toISOString(), to: to.toISOString(), bucketMs, points: shown }, 200);
    })
    .openapi(listHistory, async (c) => {
      const { id } = c.req.valid('param');
      await ensureKnown(db, c.get('reach'), id);
      const { items, ...rest } = await listForDevice(db, id, c.req.valid('query'));
      const shown = items.map(({ stats, createdAt, updatedAt, deferred, deferralEndsAt, ...told }) => ({
        ...told,
        deferred: presentDeferral({ deferred, deferralEndsAt }),
        downloadMs: stats?.downloadMs ?? null,
        receivedBytes: stats?.receivedBytes ?? null,
        createdAt: createdAt.toISOString(),
        updatedAt: updatedAt.toISOString(),
      }));
      return c.json({ items: shown, ...rest }, 200);
    });
}

/** Measurements that are older than hours are minutes, and hours in long buckets. */
const stepMs = (bucketMs: number): number =>
  bucketMs < minuteMs ? 1 : bucketMs < hourMs ? minuteMs : hourMs;

const whole = (bucketMs: number): number => Math.ceil(bucketMs / stepMs(bucketMs)) * stepMs(bucketMs);

function presentCommand({ deviceId: _, response, createdAt, answeredAt, ...rest }: Command) {
  const answered = response as { ok: boolean; result?: unknown; error?: { code: string } } | null;
  return {
    ...rest,
    createdAt: createdAt.toISOString(),
    answeredAt: answeredAt?.toISOString() ?? null,
    ok: answered?.ok ?? null,
    ...(answered?.result !== undefined && { result: answered.result }),
    error: answered?.error ?? null,
  };
}
