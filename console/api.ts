/**
 * The webhook's REST API as the console uses it: shapes and paths, nothing else. When the webhook exports its app's type,
 * only this file changes: `hc<App>('/', { fetch: sessionFetch })` and types taken from it.
 */
import { createSessionFetch } from './http.ts';
import { askLogin, type User } from './session.ts';

export type Firmware = {
  id: string;
  name: string;
  version: string;
  fileName: string;
  author: string;
  hardware: string;
  component: string;
  securityVersion: number;
  releaseNote: string;
  s3Path: string;
  sizeBytes: number;
  sha256: string;
  signed: boolean;
  createdAt: string;
  updatedAt: string;
};
export type FirmwareDetails = Firmware & { runningOn: number; deployments: Deployment[] };
export type NewFirmware = {
  version: string;
  fileName: string;
  releaseNote: string;
  s3Path: string;
  name?: string;
  author?: string;
  hardware?: string;
  component?: string;
  securityVersion?: number;
};
export type Presigned = { url: string; headers: Record<string, string>; s3Path: string; expiresAt: string };
export type Group = { id: string; name: string; devices: number };
export type GroupName = { id: string; name: string };
export type Running = { component: string; version: string; sha256: string; securityVersion: number };
export type Device = {
  id: string;
  name: string;
  region: GroupName | null;
  division: GroupName | null;
  hardware: string;
  online: boolean;
  connectedAt: string | null;
  lastSeenAt: string | null;
  running: Running[];
  certificate: { serial: string; notAfter: string } | null;
  createdAt: string;
};
export type Selection = { firmwareId: string; regions?: string[]; divisions?: string[]; devices?: string[] };
export type DryRun = {
  targets: number;
  excluded: { device: string; reason: string }[];
  egressBytes: number;
};

export const targetStates = [
  'pending',
  'sent',
  'accepted',
  'downloading',
  'installing',
  'succeeded',
  'failed',
  'rolled_back',
  'cancelling',
  'cancelled',
  'timed_out',
  'skipped',
] as const;
export type TargetState = (typeof targetStates)[number];
export type DeploymentState = 'running' | 'completed' | 'cancelled';
export type Deployment = {
  id: string;
  firmware: { id: string; name: string; version: string; fileName: string; sizeBytes: number };
  state: DeploymentState;
  createdBy: string;
  createdAt: string;
  finishedAt: string | null;
  total: number;
  counts: Record<TargetState, number>;
  figures: { successRate: number | null; meanDownloadMs: number | null; resumedDownloads: number };
};
export type Target = {
  device: string;
  deviceName: string;
  region: string | null;
  division: string | null;
  state: TargetState;
  attempt: number;
  receivedBytes: number;
  totalBytes: number;
  bytesPerSecond: number | null;
  error: { code: string; message?: string | null } | null;
  updatedAt: string;
};
export type TargetEvent = { at: string; event: string; state: TargetState | null; detail: unknown };
export type Page<T> = { items: T[]; total: number };

type Query = Record<string, string | number | undefined>;

const plainFetch = createSessionFetch({ fetch: (input, init) => fetch(input, init) });
export const sessionFetch = createSessionFetch({ fetch: (input, init) => fetch(input, init), askLogin });

function pathWith(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

const part = encodeURIComponent;

async function get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  const response = await sessionFetch(pathWith(path, query), { signal: signal ?? null });
  return (await response.json()) as T;
}

async function post<T>(path: string, body?: unknown, signal?: AbortSignal, send = sessionFetch): Promise<T> {
  const response = await send(path, {
    method: 'POST',
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
    signal: signal ?? null,
  });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

type Paging = { limit: number; offset?: number };
export type DeviceFilter = { search?: string; region?: string; division?: string; hardware?: string };

export const api = {
  login: (email: string, password: string) =>
    post<User>('/api/login', { email, password }, undefined, plainFetch),
  logout: () => post<void>('/api/logout', undefined, undefined, plainFetch),
  me: () => get<User>('/api/me'),

  listFirmwares: (query: Paging & { search?: string }, signal?: AbortSignal) =>
    get<Page<Firmware>>('/api/firmwares/metadata', query, signal),
  getFirmware: (id: string, signal?: AbortSignal) =>
    get<FirmwareDetails>(`/api/firmware/${part(id)}`, undefined, signal),
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
  getDevice: (id: string, signal?: AbortSignal) => get<Device>(`/api/devices/${part(id)}`, undefined, signal),

  dryRun: (selection: Selection, signal?: AbortSignal) =>
    post<DryRun>('/api/deployments/dry_run', selection, signal),
  createDeployment: (selection: Selection) => post<Deployment>('/api/deployments', selection),
  listDeployments: (query: Paging, signal?: AbortSignal) =>
    get<Page<Deployment>>('/api/deployments', query, signal),
  getDeployment: (id: string, signal?: AbortSignal) =>
    get<Deployment>(`/api/deployments/${part(id)}`, undefined, signal),
  listTargets: (id: string, query: Paging & { state?: string }, signal?: AbortSignal) =>
    get<Page<Target>>(`/api/deployments/${part(id)}/targets`, query, signal),
  listTargetEvents: (id: string, device: string, signal?: AbortSignal) =>
    get<TargetEvent[]>(`/api/deployments/${part(id)}/targets/${part(device)}/events`, undefined, signal),
  cancelDeployment: (id: string) => post<Deployment>(`/api/deployments/${part(id)}/cancel`),
};
