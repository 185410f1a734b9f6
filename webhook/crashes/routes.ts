import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { presignedPutSchema } from '../firmware/presigned-put.ts';
import {
  access,
  alwaysPaging,
  answer,
  createRouter,
  ifMatch,
  jsonBody,
  page,
  problems,
  sha256Schema,
} from '../http.ts';
import * as elfs from './elfs.ts';
import { symboliseWaiting, symbolStates } from './symbolised.ts';
import * as views from './views.ts';

const id = z.object({ id: z.uuid() });
const call = z.object({ function: z.string(), file: z.string().nullable(), line: z.int().nullable() });
const group = z
  .object({
    id: z.uuid(),
    /** SHA-256 of the ELF, as much of it as a device has told. */
    elf: z.string(),
    reason: z.string(),
    frames: z.array(z.string()),
    place: call.nullable(),
    firmware: z.object({ id: z.uuid(), name: z.string(), version: z.string() }).nullable(),
    firstSeenAt: z.string(),
    lastSeenAt: z.string(),
    reports: z.int(),
    devices: z.int(),
  })
  .openapi('CrashGroup');
const trend = z.array(z.object({ day: z.iso.date(), reports: z.int() }));
const elfSchema = z
  .object({
    /** Null: neither does the image name one, nor is one uploaded. */
    sha256: z.string().nullable(),
    fileName: z.string().nullable(),
    sizeBytes: z.int().nullable(),
    uploadedBy: z.string().nullable(),
    uploadedAt: z.string().nullable(),
    /** What symbolises here; null: nothing is installed. */
    tool: z.string().nullable(),
  })
  .openapi('FirmwareElf');
const fileName = z
  .string()
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9 ._()+@-]{0,99}$/,
    'must be 1 to 100 letters, digits, spaces and . _ ( ) + @ -',
  );

const list = createRoute({
  method: 'get',
  path: '/api/crashes',
  ...access('viewer', 'devices'),
  summary: 'Crashes of devices, grouped by ELF and first calls, those that were seen last first',
  request: { query: alwaysPaging.extend({ firmware: z.uuid().optional() }) },
  responses: { 200: answer('A page', page(group)), ...problems },
});
const readTrend = createRoute({
  method: 'get',
  path: '/api/crashes/trend',
  ...access('viewer', 'devices'),
  summary: 'Crashes on each of the last 30 days (UTC)',
  request: { query: z.object({ firmware: z.uuid().optional() }) },
  responses: { 200: answer('Oldest first', trend), ...problems },
});
const get = createRoute({
  method: 'get',
  path: '/api/crashes/{id}',
  ...access('viewer', 'devices'),
  summary: 'One group: its newest backtrace with functions and lines, its devices and its days',
  description:
    '`symbols`: `known`; `no_elf` (upload that of the firmware), `no_tool` (neither llvm-symbolizer nor addr2line is installed where this ' +
    'copy runs, or no prlimit that would bound them), `failed` (the tool has failed, or took too much; it is tried again).',
  request: { params: id },
  responses: {
    200: answer(
      'The group',
      group.extend({
        backtrace: z.array(z.object({ address: z.string(), calls: z.array(call) })),
        corrupted: z.boolean(),
        task: z.string().nullable(),
        symbols: z.enum(symbolStates),
        affected: z.array(z.object({ device: z.string(), lastSeenAt: z.string(), reports: z.int() })),
        trend,
      }),
    ),
    ...problems,
  },
});
const reports = createRoute({
  method: 'get',
  path: '/api/crashes/{id}/reports',
  ...access('viewer', 'devices'),
  summary: 'Reports of a group, newest first; the newest 1,000 are kept',
  request: { params: id, query: alwaysPaging },
  responses: {
    200: answer(
      'A page',
      page(
        z.object({
          device: z.string(),
          at: z.string(),
          reason: z.string(),
          task: z.string().nullable(),
          runningVersion: z.string(),
          pc: z.string(),
          backtrace: z.array(z.string()),
          corrupted: z.boolean(),
        }),
      ),
    ),
    ...problems,
  },
});
const getElf = createRoute({
  method: 'get',
  path: '/api/firmware/{id}/elf',
  ...access('viewer', 'everybody'),
  summary: 'The ELF that crashes of this firmware are symbolised with',
  request: { params: id },
  responses: { 200: answer('What is known of it', elfSchema), ...problems },
});
const presign = createRoute({
  method: 'post',
  path: '/api/firmware/{id}/elf/presigned_upload',
  ...access('operator', 'fleet'),
  summary: 'Where to PUT the ELF of a firmware, and with which headers',
  request: {
    params: id,
    ...jsonBody(
      z.object({
        fileName,
        sha256: sha256Schema.optional(),
      }),
    ),
  },
  responses: {
    200: answer('A presigned PUT; the headers are signed and must be sent as they are', presignedPutSchema),
    ...problems,
  },
});
const attach = createRoute({
  method: 'post',
  path: '/api/firmware/{id}/elf',
  ...access('operator', 'fleet'),
  ...ifMatch,
  summary: 'The uploaded ELF is that of the firmware',
  description:
    'Refused with 422: `elf_invalid` (no ELF), `elf_differs` (an ESP-IDF image says that it was made from another one), `object_missing`, ' +
    '`object_empty`, `object_too_large` (over 256 MiB).',
  request: { params: id, ...jsonBody(z.object({ s3Path: z.string().max(400) })) },
  responses: { 201: answer('What is known of it', elfSchema), ...problems },
});

export function crashRoutes(context: Context) {
  const { db } = context;
  const present = (elf: elfs.FirmwareElf | null) => ({
    sha256: elf?.sha256 ?? null,
    fileName: elf?.fileName ?? null,
    sizeBytes: elf?.sizeBytes ?? null,
    uploadedBy: elf?.uploadedBy ?? null,
    uploadedAt: elf?.uploadedAt?.toISOString() ?? null,
    tool: context.symboliser.tool,
  });
  return createRouter()
    .openapi(list, async (c) => {
      const { firmware: firmwareId, ...paging } = c.req.valid('query');
      return c.json(await views.list(db, c.get('reach'), { firmwareId, ...paging }), 200);
    })
    .openapi(readTrend, async (c) =>
      c.json(await views.trendOf(db, c.get('reach'), { firmwareId: c.req.valid('query').firmware }), 200),
    )
    .openapi(get, async (c) => c.json(await views.get(context, c.get('reach'), c.req.valid('param').id), 200))
    .openapi(reports, async (c) =>
      c.json(await views.listReports(db, c.get('reach'), c.req.valid('param').id, c.req.valid('query')), 200),
    )
    .openapi(getElf, async (c) => c.json(present(await elfs.find(db, c.req.valid('param').id)), 200))
    .openapi(presign, async (c) => {
      const { expiresAt, ...rest } = await elfs.presignUpload(
        context,
        c.req.valid('param').id,
        c.req.valid('json'),
      );
      return c.json({ ...rest, expiresAt: expiresAt.toISOString() }, 200);
    })
    .openapi(attach, async (c) => {
      const { s3Path } = c.req.valid('json');
      const { caller, expected } = c.var;
      const { id } = c.req.valid('param');
      const row = await elfs.attach(context, id, s3Path, caller.name, expected);
      await symboliseWaiting(context, row);
      return c.json(present(row), 201);
    });
}
