/** The REST API as far as the overview and the pages about the system use it; see api.ts. */
import type { InferResponseType } from 'hono/client';
import { type Body, get, type Page, type Paging, part, type Routes, send, sessionFetch } from './api.ts';

export type Overview = InferResponseType<Routes['overview']['$get'], 200>;
export type Trends = InferResponseType<Routes['trends']['$get'], 200>;
export type Broker = InferResponseType<Routes['broker']['$get'], 200>;
export type BrokerHere = Extract<Broker, { state: 'here' }>;
type Region = InferResponseType<Routes['regions']['$post'], 201>;
/** Only regions have a time zone. */
export type Place = Omit<Region, 'timeZone'> & Partial<Pick<Region, 'timeZone'>>;
export type PlaceInput = { name: string; timeZone?: string };
export type PlaceKind = 'regions' | 'divisions';
export type Account = InferResponseType<Routes['users']['$get'], 200>[number];
export type NewAccount = Body<Routes['users']['$post']>;
export type AccountChange = Body<Routes['users'][':id']['$patch']>;
export type ApiToken = InferResponseType<Routes['tokens']['$get'], 200>[number];
export type NewApiToken = Body<Routes['tokens']['$post']>;
export type Encryption = InferResponseType<Routes['encryption']['$get'], 200>;
export type ApprovalRule = InferResponseType<Routes['approval_rules']['$get'], 200>[number];
export type AuditEntry = InferResponseType<Routes['audit']['$get'], 200>['items'][number];
export type Verdict = InferResponseType<Routes['audit']['verification']['$get'], 200>;
export type DeadLetters = InferResponseType<Routes['dead_letters']['$get'], 200>;
export type DeadLetter = DeadLetters['items'][number];
export type DeadLetterWhole = InferResponseType<Routes['dead_letters'][':id']['$get'], 200>;
export type Replayed = InferResponseType<Routes['dead_letters'][':id']['replay']['$post'], 200>;
type Notifications = Routes['notifications'];
export type NotificationChannel = InferResponseType<Notifications['channels']['$get'], 200>[number];
export type NewChannel = Body<Notifications['channels']['$post']>;
export type ChannelChange = Body<Notifications['channels'][':id']['$patch']>;
export type NotificationRule = InferResponseType<Notifications['rules']['$get'], 200>[number];
export type NewRule = Body<Notifications['rules']['$post']>;
export type NotificationDelivery = InferResponseType<
  Notifications['deliveries']['$get'],
  200
>['items'][number];

/** With which version of it that is. */
async function getTagged<T>(path: string, signal?: AbortSignal): Promise<{ body: T; tag: string }> {
  const response = await sessionFetch(path, { signal: signal ?? null });
  return { body: (await response.json()) as T, tag: response.headers.get('etag') ?? '*' };
}

export const adminApi = {
  getOverview: (signal?: AbortSignal) => get<Overview>('/api/overview', undefined, signal),
  getTrends: (signal?: AbortSignal) => get<Trends>('/api/trends', undefined, signal),
  getBroker: (signal?: AbortSignal) => get<Broker>('/api/broker', undefined, signal),

  listPlaces: (kind: PlaceKind, signal?: AbortSignal) => get<Place[]>(`/api/${kind}`, undefined, signal),
  createPlace: (kind: PlaceKind, input: PlaceInput) => send<Place>('POST', `/api/${kind}`, input),
  changePlace: (kind: PlaceKind, id: string, input: Partial<PlaceInput>, seen: number) =>
    send<Place>('PATCH', `/api/${kind}/${part(id)}`, input, { seen }),
  moveDevices: (kind: PlaceKind, from: string, to: string | null, seen: number) =>
    send<{ devices: number }>('POST', `/api/${kind}/${part(from)}/move_devices`, { to }, { seen }),
  deletePlace: (kind: PlaceKind, id: string, seen: number) =>
    send<void>('DELETE', `/api/${kind}/${part(id)}`, undefined, { seen }),

  listAccounts: (signal?: AbortSignal) => get<Account[]>('/api/users', undefined, signal),
  createAccount: (body: NewAccount) => send<Account>('POST', '/api/users', body),
  changeAccount: (id: string, body: AccountChange, seen: number) =>
    send<Account>('PATCH', `/api/users/${part(id)}`, body, { seen }),
  resetTotp: (id: string) => send<void>('DELETE', `/api/users/${part(id)}/totp`),
  listApiTokens: (signal?: AbortSignal) => get<ApiToken[]>('/api/tokens', undefined, signal),
  createApiToken: (body: NewApiToken) =>
    send<{ secret: string; token: ApiToken }>('POST', '/api/tokens', body),
  revokeApiToken: (id: string, seen: number) =>
    send<void>('DELETE', `/api/tokens/${part(id)}`, undefined, { seen }),

  /** They are replaced as a whole: `tag` says which ones those were. */
  getApprovalRules: async (signal?: AbortSignal) => {
    const { body, tag } = await getTagged<ApprovalRule[]>('/api/approval_rules', signal);
    return { rules: body, tag };
  },
  setApprovalRules: (rules: ApprovalRule[], seen: string) =>
    send<ApprovalRule[]>('PUT', '/api/approval_rules', { rules }, { seen }),

  readEncryption: async (signal?: AbortSignal) => {
    const { body, tag } = await getTagged<Encryption>('/api/encryption', signal);
    return { ...body, tag };
  },
  setEncryption: (hardware: string[], seen: string) =>
    send<Encryption>('PUT', '/api/encryption', { hardware }, { seen }),

  listAudit: (query: Paging & { actor?: string; action?: string; subject?: string }, signal?: AbortSignal) =>
    get<Page<AuditEntry>>('/api/audit', query, signal),
  verifyAudit: (signal?: AbortSignal) => get<Verdict>('/api/audit/verification', undefined, signal),

  listDeadLetters: (query: Paging & { code?: string; clientId?: string }, signal?: AbortSignal) =>
    get<DeadLetters>('/api/dead_letters', query, signal),
  getDeadLetter: (id: number, signal?: AbortSignal) =>
    get<DeadLetterWhole>(`/api/dead_letters/${id}`, undefined, signal),
  replayDeadLetter: (id: number) => send<Replayed>('POST', `/api/dead_letters/${id}/replay`),
  deleteDeadLetter: (id: number) => send<void>('DELETE', `/api/dead_letters/${id}`),

  listChannels: (signal?: AbortSignal) =>
    get<NotificationChannel[]>('/api/notifications/channels', undefined, signal),
  createChannel: (body: NewChannel) =>
    send<{ channel: NotificationChannel; secret: string | null }>(
      'POST',
      '/api/notifications/channels',
      body,
    ),
  changeChannel: (id: string, body: ChannelChange, seen: number) =>
    send<NotificationChannel>('PATCH', `/api/notifications/channels/${part(id)}`, body, { seen }),
  rotateChannel: (id: string, seen: number) =>
    send<{ secret: string }>('POST', `/api/notifications/channels/${part(id)}/rotate`, undefined, { seen }),
  testChannel: (id: string) =>
    send<NotificationDelivery>('POST', `/api/notifications/channels/${part(id)}/test`),
  deleteChannel: (id: string, seen: number) =>
    send<void>('DELETE', `/api/notifications/channels/${part(id)}`, undefined, { seen }),
  listRules: (signal?: AbortSignal) => get<NotificationRule[]>('/api/notifications/rules', undefined, signal),
  createRule: (body: NewRule) => send<NotificationRule>('POST', '/api/notifications/rules', body),
  changeRule: (id: string, body: NewRule, seen: number) =>
    send<NotificationRule>('PATCH', `/api/notifications/rules/${part(id)}`, body, { seen }),
  deleteRule: (id: string, seen: number) =>
    send<void>('DELETE', `/api/notifications/rules/${part(id)}`, undefined, { seen }),
  listDeliveries: (query: Paging & { state?: string; channelId?: string }, signal?: AbortSignal) =>
    get<Page<NotificationDelivery>>('/api/notifications/deliveries', query, signal),
  replayDelivery: (id: number) =>
    send<NotificationDelivery>('POST', `/api/notifications/deliveries/${id}/replay`),
};
