/** Who is connected, who may come back, and who is subscribed to what. */

import type { MountStream } from './mount-stream.ts';

export interface Session {
  clientid: string;
  /** clean_start = false: the session outlives its connection. */
  persistent: boolean;
  connected: boolean;
  connectedAt: number;
  disconnectedAt: number | null;
  peer: { host: string; port: number };
  /** What `client_attrs_init` makes of the certificate. */
  attrs: { cert: string; cn: string };
  keepalive: number;
  protocolVersion: number;
  prefix: string;
  subscriptions: Map<string, number>;
  stream: MountStream;
}

export class Sessions {
  private readonly byId = new Map<string, Session>();
  /** Client ids by topic; nobody may subscribe to a wildcard. */
  private readonly routes = new Map<string, Set<string>>();

  get(clientid: string): Session | undefined {
    return this.byId.get(clientid);
  }

  all(): IterableIterator<Session> {
    return this.byId.values();
  }

  /** A connection begins: an older session's subscriptions go on only where both want that. */
  begin(session: Omit<Session, 'subscriptions'>): Session {
    const old = this.byId.get(session.clientid);
    const kept = old?.persistent && session.persistent ? old.subscriptions : new Map<string, number>();
    if (old && kept !== old.subscriptions) this.forget(old);
    const begun = { ...session, subscriptions: kept };
    this.byId.set(session.clientid, begun);
    return begun;
  }

  /** A connection ended; null when it had already been replaced by a newer one. */
  end(clientid: string, stream: MountStream, at: number): Session | null {
    const session = this.byId.get(clientid);
    if (session?.stream !== stream || !session.connected) return null;
    session.connected = false;
    session.disconnectedAt = at;
    if (!session.persistent) this.remove(clientid);
    return session;
  }

  remove(clientid: string): void {
    const session = this.byId.get(clientid);
    if (!session) return;
    this.forget(session);
    this.byId.delete(clientid);
  }

  subscribed({ clientid, subscriptions }: Session, topic: string, qos: number): void {
    subscriptions.set(topic, qos);
    this.routes.set(topic, (this.routes.get(topic) ?? new Set()).add(clientid));
  }

  unsubscribed({ clientid, subscriptions }: Session, topic: string): void {
    subscriptions.delete(topic);
    const route = this.routes.get(topic);
    if (route?.delete(clientid) && route.size === 0) this.routes.delete(topic);
  }

  /** A route is a subscription of anybody, also of an offline persistent session: what EMQX's publish API calls success. */
  hasRoute(topic: string): boolean {
    return this.routes.has(topic);
  }

  /** Those that are away and will find a message on this topic when they are back. */
  awayFrom(topic: string): string[] {
    return [...(this.routes.get(topic) ?? [])].filter((clientid) => !this.byId.get(clientid)?.connected);
  }

  private forget(session: Session): void {
    for (const topic of [...session.subscriptions.keys()]) this.unsubscribed(session, topic);
  }
}
