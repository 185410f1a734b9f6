/**
 * The webhook's REST API as the console uses it: paths and calls. The shapes are the webhook's own, taken from the type of its
 * app, so that a change there is a type error here; nothing of it is in the bundle.
 */
import type { hc, InferRequestType, InferResponseType } from 'hono/client';
import type { App } from '#webhook/app.ts';
import { takeEarly } from './early.ts';
import { createSessionFetch } from './http.ts';
import { askLogin, type FailedLogins, type User } from './session.ts';

export type Routes = ReturnType<typeof hc<App>>['api'];
export type Body<Route> = InferRequestType<Route> extends { json: infer T } ? T : never;
/** Lists answer a page when `limit` is given, and the console always gives it. */
type PageOf<Route> = Extract<InferResponseType<Route, 200>, { total: number }>;

export type FirmwareDetails = InferResponseType<Routes['firmware'][':id']['$get'], 200>;
export type FirmwarePatches = InferResponseType<Routes['firmware'][':id']['patches']['$get'], 200>;
export type Firmware = PageOf<Routes['firmwares']['metadata']['$get']>['items'][number];
export type NewFirmware = Body<Routes['firmwares']['metadata']['$post']>;
export type Presigned = InferResponseType<Routes['s3']['presigned_upload']['$post'], 200>;
export type Group = InferResponseType<Routes['divisions']['$get'], 200>[number];
export type GroupVersions = InferResponseType<Routes['groups'][':id']['versions']['$get'], 200>;
export type GroupVersion = GroupVersions['versions'][number];
type GroupChange = { name?: string; query?: string; pinned?: string | null; channel?: string | null };
export type DeviceGroup = InferResponseType<Routes['groups']['$get'], 200>[number];
export type Search = InferResponseType<Routes['search']['$get'], 200>;
export type Job = InferResponseType<Routes['jobs'][':id']['$get'], 200>;
export type JobFailure = InferResponseType<Routes['jobs'][':id']['failures']['$get'], 200>['items'][number];
export type Device = InferResponseType<Routes['devices'][':id']['$get'], 200>;
export type Hardware = InferResponseType<Routes['hardware']['$get'], 200>[number];
type OfDevice = Routes['devices'][':id'];
export type DeviceChange = Body<OfDevice['$patch']>;
export type DeviceStatus = InferResponseType<OfDevice['status']['$get'], 200>;
export type LogLine = InferResponseType<OfDevice['logs']['$get'], 200>['items'][number];
export type Command = InferResponseType<OfDevice['commands']['$get'], 200>['items'][number];
export type NewCommand = Body<OfDevice['commands']['$post']>;
export type Chart = InferResponseType<OfDevice['telemetry']['$get'], 200>;
export type PastUpdate = InferResponseType<OfDevice['firmware_history']['$get'], 200>['items'][number];
export type ImportReport = InferResponseType<Routes['devices']['import']['$post'], 200>;
export type Ban = InferResponseType<Routes['bans']['$get'], 200>[number];
export type Grant = InferResponseType<Routes['certificates']['grants']['$post'], 201>;

export type Selection = Body<Routes['deployments']['$post']>;
export type Policy = NonNullable<Selection['policy']>;
export type NamedPolicy = InferResponseType<Routes['policies']['$get'], 200>[number];
export type MaintenanceWindow = NonNullable<Deployment['policy']['window']>;
export type Weekday = MaintenanceWindow['days'][number];
export type Proposal = InferResponseType<Routes['deployments'][':id']['approval']['$get'], 200>;
export type DryRun = InferResponseType<Routes['deployments']['dry_run']['$post'], 200>;
export type Deployment = InferResponseType<Routes['deployments'][':id']['$get'], 200>;
export type UndoPlan = InferResponseType<Routes['deployments'][':id']['undo']['$get'], 200>;
export type Undone = InferResponseType<Routes['deployments'][':id']['undo']['$post'], 201>;
export type PatchFigures = InferResponseType<Routes['deployments'][':id']['patches']['$get'], 200>;
export type Previous = InferResponseType<Routes['deployments'][':id']['previous']['$get'], 200>;
export type Calendar = InferResponseType<Routes['calendar']['$get'], 200>;
export type Freeze = InferResponseType<Routes['freezes']['$get'], 200>[number];
export type NewFreeze = Body<Routes['freezes']['$post']>;
export type CrashGroup = InferResponseType<Routes['crashes']['$get'], 200>['items'][number];
export type CrashDetails = InferResponseType<Routes['crashes'][':id']['$get'], 200>;
export type CrashTrend = InferResponseType<Routes['crashes']['trend']['$get'], 200>;
export type FirmwareElf = InferResponseType<Routes['firmware'][':id']['elf']['$get'], 200>;
export type HealthJudgement = InferResponseType<Routes['deployments'][':id']['health']['$get'], 200>[number];
export type Moment = InferResponseType<Routes['deployments'][':id']['moments']['$get'], 200>[number];
export type DeploymentState = Deployment['state'];
export type Deferral = NonNullable<Target['deferred']>;
export type Target = InferResponseType<Routes['deployments'][':id']['targets']['$get'], 200>['items'][number];
export type TargetState = Target['state'];
export type FailureReason = NonNullable<Target['error']>['code'];
export type TargetEvent = InferResponseType<
  Routes['deployments'][':id']['targets'][':device']['events']['$get'],
  200
>[number];
export type CertificateDetails = InferResponseType<Routes['certificates'][':serial']['$get'], 200>;
export type Certificate = InferResponseType<Routes['certificates']['$get'], 200>['items'][number];
export type RevocationReason = NonNullable<
  Body<Routes['certificates'][':serial']['revoke']['$post']>['reason']
>;
export type Surroundings = InferResponseType<Routes['surroundings']['$get'], 200>;
export type FirstSteps = InferResponseType<OfDevice['first_steps']['$get'], 200>;
export type NewToken = Body<Routes['certificates']['tokens']['$post']>;
export type Token = InferResponseType<Routes['certificates']['tokens']['$post'], 201>;
export type OwnToken = InferResponseType<Routes['me']['tokens']['$get'], 200>[number];
export type NewOwnToken = Body<Routes['me']['tokens']['$post']>;
/** `more`: there are more than `total`. */
export type Page<T> = { items: T[]; total: number; more?: true | undefined };

type Query = Record<string, string | number | undefined>;

const plainFetch = createSessionFetch({ fetch: (input, init) => fetch(input, init) });
export const sessionFetch = createSessionFetch({
  fetch: (input, init) => (init?.method ? undefined : takeEarly(input)) ?? fetch(input, init),
  askLogin,
});

function pathWith(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

export const part = encodeURIComponent;

export async function get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  const response = await sessionFetch(pathWith(path, query), { signal: signal ?? null });
  return (await response.json()) as T;
}

export async function send<T>(
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
  options: {
    signal?: AbortSignal | undefined;
    type?: string;
    by?: typeof sessionFetch;
    /** The revision that the user was looking at, or an ETag: 412 when somebody has changed it since. */
    seen?: number | string | undefined;
  } = {},
): Promise<T> {
  const { signal, type = 'application/json', by = sessionFetch, seen } = options;
  const response = await by(path, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': type }),
      ...(seen !== undefined && { 'if-match': typeof seen === 'number' ? `"${seen}"` : seen }),
    },
    body:
      body === undefined
        ? null
        : typeof body === 'string' || body instanceof Blob
          ? body
          : JSON.stringify(body),
    signal: signal ?? null,
  });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

const post = <T>(path: string, body?: unknown, signal?: AbortSignal) =>
  send<T>('POST', path, body, { signal });

export type Paging = { limit: number; offset?: number };
/** Devices that somebody has chosen on their page. */
export type Chosen = { devices: string[] } | { query: string } | { all: true };
export type DeviceFilter = {
  q?: string;
  search?: string;
  region?: string;
  division?: string;
  hardware?: string;
  tag?: string;
  online?: string;
  sort?: string;
};
export type CertificateFilter = {
  search?: string;
  status?: string;
  expiresWithinDays?: string;
  commonName?: string;
};

export const api = {
  login: (email: string, password: string, code?: string) =>
    send<User & { failedLogins?: FailedLogins }>(
      'POST',
      '/api/login',
      { email, password, ...(code && { code }) },
      { by: plainFetch },
    ),
  oidc: () => get<{ button: string | null }>('/api/oidc'),
  logout: () => send<void>('POST', '/api/logout', undefined, { by: plainFetch }),
  me: () => get<User>('/api/me'),

  listFirmwares: (query: Paging & { search?: string }, signal?: AbortSignal) =>
    get<Page<Firmware>>('/api/firmwares/metadata', query, signal),
  getFirmware: (id: string, signal?: AbortSignal) =>
    get<FirmwareDetails>(`/api/firmware/${part(id)}`, undefined, signal),
  listPatches: (id: string, signal?: AbortSignal) =>
    get<FirmwarePatches>(`/api/firmware/${part(id)}/patches`, undefined, signal),
  makePatches: (id: string) => post<FirmwarePatches>(`/api/firmware/${part(id)}/patches`, {}),
  presignUpload: (body: { version: string; fileName: string; sha256?: string }, signal?: AbortSignal) =>
    post<Presigned>('/api/s3/presigned_upload', body, signal),
  registerFirmware: (body: NewFirmware, signal?: AbortSignal) =>
    post<Firmware>('/api/firmwares/metadata', body, signal),
  presignDownload: (query: { version: string; fileName: string }) =>
    get<{ url: string; expiresAt: string }>('/api/s3/presigned_download', query),

  listRegions: (signal?: AbortSignal) => get<Group[]>('/api/regions', undefined, signal),
  listDivisions: (signal?: AbortSignal) => get<Group[]>('/api/divisions', undefined, signal),
  listDevices: (query: Paging & DeviceFilter, signal?: AbortSignal) =>
    get<Page<Device>>('/api/devices', query, signal),
  countDevices: async (q: string): Promise<number> =>
    (await get<Page<Device>>('/api/devices', { ...(q && { q }), limit: 1, count: 'exact' })).total,
  search: (q: string, signal?: AbortSignal) => get<Search>('/api/search', { q }, signal),
  devicesCsv: ({ sort: _, ...filter }: DeviceFilter) => pathWith('/api/devices.csv', filter),
  listPolicies: (signal?: AbortSignal) => get<NamedPolicy[]>('/api/policies', undefined, signal),
  listGroups: (signal?: AbortSignal) => get<DeviceGroup[]>('/api/groups', undefined, signal),
  listGroupVersions: (id: string, signal?: AbortSignal) =>
    get<GroupVersions>(`/api/groups/${part(id)}/versions`, undefined, signal),
  createGroup: (body: { name: string; query: string }) => post<DeviceGroup>('/api/groups', body),
  changeGroup: (id: string, change: GroupChange, seen: number) =>
    send<DeviceGroup>('PATCH', `/api/groups/${part(id)}`, change, { seen }),
  deleteGroup: (id: string, seen: number) =>
    send<void>('DELETE', `/api/groups/${part(id)}`, undefined, { seen }),
  startJob: (act: Job['act'], body: Chosen & Record<string, unknown>) => post<Job>(`/api/jobs/${act}`, body),
  listJobs: (query: Paging, signal?: AbortSignal) => get<Page<Job>>('/api/jobs', query, signal),
  getJob: (id: string, signal?: AbortSignal) => get<Job>(`/api/jobs/${part(id)}`, undefined, signal),
  listJobFailures: (id: string, query: Paging, signal?: AbortSignal) =>
    get<Page<JobFailure>>(`/api/jobs/${part(id)}/failures`, query, signal),
  cancelJob: (id: string) => post<Job>(`/api/jobs/${part(id)}/cancel`),
  listHardware: (signal?: AbortSignal) => get<Hardware[]>('/api/hardware', undefined, signal),
  getDevice: (id: string, signal?: AbortSignal) => get<Device>(`/api/devices/${part(id)}`, undefined, signal),
  createDevice: (device: Body<Routes['devices']['$post']>) => post<Device>('/api/devices', device),
  getSurroundings: (signal?: AbortSignal) => get<Surroundings>('/api/surroundings', undefined, signal),
  getFirstSteps: (id: string, signal?: AbortSignal) =>
    get<FirstSteps>(`/api/devices/${part(id)}/first_steps`, undefined, signal),
  changeDevice: (id: string, change: DeviceChange, seen: number) =>
    send<Device>('PATCH', `/api/devices/${part(id)}`, change, { seen }),
  deleteDevice: (id: string, seen: number) =>
    send<void>('DELETE', `/api/devices/${part(id)}`, undefined, { seen }),
  importDevices: (csv: string, query: { update: string; dryRun: string; makePlaces: string }) =>
    send<ImportReport>('POST', pathWith('/api/devices/import', query), csv, { type: 'text/csv' }),
  getDeviceStatus: (id: string, signal?: AbortSignal) =>
    get<DeviceStatus>(`/api/devices/${part(id)}/status`, undefined, signal),
  getChart: (
    id: string,
    query: { topic: string; value: string; from: string; to: string },
    signal?: AbortSignal,
  ) => get<Chart>(`/api/devices/${part(id)}/telemetry`, query, signal),
  listLogs: (id: string, query: { level?: string; limit: number }, signal?: AbortSignal) =>
    get<Page<LogLine>>(`/api/devices/${part(id)}/logs`, query, signal),
  listCommands: (id: string, signal?: AbortSignal) =>
    get<Page<Command>>(`/api/devices/${part(id)}/commands`, { limit: 10 }, signal),
  sendCommand: (id: string, body: NewCommand) => post<Command>(`/api/devices/${part(id)}/commands`, body),
  listPastUpdates: (id: string, signal?: AbortSignal) =>
    get<Page<PastUpdate>>(`/api/devices/${part(id)}/firmware_history`, { limit: 20 }, signal),

  dryRun: (selection: Selection, signal?: AbortSignal) =>
    post<DryRun>('/api/deployments/dry_run', selection, signal),
  createDeployment: (selection: Selection) => post<Deployment>('/api/deployments', selection),
  listDeployments: (query: Paging, signal?: AbortSignal) =>
    get<Page<Deployment>>('/api/deployments', query, signal),
  getDeployment: (id: string, signal?: AbortSignal) =>
    get<Deployment>(`/api/deployments/${part(id)}`, undefined, signal),
  listMoments: (id: string, signal?: AbortSignal) =>
    get<Moment[]>(`/api/deployments/${part(id)}/moments`, undefined, signal),
  listTargets: (id: string, query: Paging & { state?: string }, signal?: AbortSignal) =>
    get<Page<Target>>(`/api/deployments/${part(id)}/targets`, query, signal),
  listTargetEvents: (id: string, device: string, signal?: AbortSignal) =>
    get<TargetEvent[]>(`/api/deployments/${part(id)}/targets/${part(device)}/events`, undefined, signal),
  listCertificates: (query: Paging & CertificateFilter, signal?: AbortSignal) =>
    get<Page<Certificate>>('/api/certificates', query, signal),
  getCertificate: (serial: string, signal?: AbortSignal) =>
    get<CertificateDetails>(`/api/certificates/${part(serial)}`, undefined, signal),
  revokeCertificate: (serial: string, reason: RevocationReason) =>
    post<CertificateDetails>(`/api/certificates/${part(serial)}/revoke`, { reason }),
  createToken: (body: NewToken) => post<Token>('/api/certificates/tokens', body),
  createGrant: (device: string) => post<Grant>('/api/certificates/grants', { device }),
  listBans: (signal?: AbortSignal) => get<Ban[]>('/api/bans', undefined, signal),
  banDevice: (device: string, reason: string) => post<Ban>('/api/bans', { device, reason }),
  liftBan: (device: string) => send<void>('DELETE', `/api/bans/${part(device)}`),

  listJudgements: (id: string, signal?: AbortSignal) =>
    get<HealthJudgement[]>(`/api/deployments/${part(id)}/health`, undefined, signal),
  getPrevious: (id: string, signal?: AbortSignal) =>
    get<Previous>(`/api/deployments/${part(id)}/previous`, undefined, signal),
  getPatchFigures: (id: string, signal?: AbortSignal) =>
    get<PatchFigures>(`/api/deployments/${part(id)}/patches`, undefined, signal),
  foreseeUndo: (id: string, signal?: AbortSignal) =>
    get<UndoPlan>(`/api/deployments/${part(id)}/undo`, undefined, signal),
  undoDeployment: (id: string, body: { others: boolean }, seen: number) =>
    send<Undone>('POST', `/api/deployments/${part(id)}/undo`, body, { seen }),
  changePassword: (currentPassword: string, newPassword: string) =>
    post<void>('/api/me/password', { currentPassword, newPassword }),
  listOwnTokens: (signal?: AbortSignal) => get<OwnToken[]>('/api/me/tokens', undefined, signal),
  createOwnToken: (body: NewOwnToken) => post<{ secret: string; token: OwnToken }>('/api/me/tokens', body),
  revokeOwnToken: (id: string, seen: number) =>
    send<void>('DELETE', `/api/me/tokens/${part(id)}`, undefined, { seen }),
  beginTotp: (password: string) => post<{ secret: string; uri: string }>('/api/me/totp', { password }),
  confirmTotp: (code: string) => post<{ recoveryCodes: string[] }>('/api/me/totp/confirm', { code }),
  disableTotp: (password: string, code: string) => post<void>('/api/me/totp/disable', { password, code }),
  getCalendar: (span: { from: string; to: string }, signal?: AbortSignal) =>
    get<Calendar>('/api/calendar', span, signal),
  listCrashes: (query: Paging & { firmware?: string }, signal?: AbortSignal) =>
    get<Page<CrashGroup>>('/api/crashes', query, signal),
  getCrashTrend: (query: { firmware?: string }, signal?: AbortSignal) =>
    get<CrashTrend>('/api/crashes/trend', query, signal),
  getCrash: (id: string, signal?: AbortSignal) =>
    get<CrashDetails>(`/api/crashes/${part(id)}`, undefined, signal),
  getElf: (id: string, signal?: AbortSignal) =>
    get<FirmwareElf>(`/api/firmware/${part(id)}/elf`, undefined, signal),
  presignElf: (id: string, body: { fileName: string }) =>
    post<Presigned>(`/api/firmware/${part(id)}/elf/presigned_upload`, body),
  attachElf: (id: string, body: { s3Path: string }) =>
    post<FirmwareElf>(`/api/firmware/${part(id)}/elf`, body),

  listFreezes: (signal?: AbortSignal) => get<Freeze[]>('/api/freezes', undefined, signal),
  createFreeze: (freeze: NewFreeze) => post<Freeze>('/api/freezes', freeze),
  deleteFreeze: (id: string, seen: number) =>
    send<void>('DELETE', `/api/freezes/${part(id)}`, undefined, { seen }),
  overrideFreeze: (id: string, reason: string, seen: number) =>
    send<Deployment>('POST', `/api/deployments/${part(id)}/override_freeze`, { reason }, { seen }),
  listApprovals: (signal?: AbortSignal) => get<Deployment[]>('/api/approvals', undefined, signal),
  getProposal: (id: string, signal?: AbortSignal) =>
    get<Proposal>(`/api/deployments/${part(id)}/approval`, undefined, signal),
  approveDeployment: (id: string, body: { digest: string; reason: string }, seen: number) =>
    send<Deployment>('POST', `/api/deployments/${part(id)}/approve`, body, { seen }),
  refuseDeployment: (id: string, body: { reason: string }, seen: number) =>
    send<Deployment>('POST', `/api/deployments/${part(id)}/refuse`, body, { seen }),
  operateDeployment: (id: string, operation: 'cancel' | 'pause' | 'resume' | 'retry_failed', seen: number) =>
    send<Deployment>('POST', `/api/deployments/${part(id)}/${operation}`, undefined, { seen }),
};
