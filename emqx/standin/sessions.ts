/** Who is connected, who may come back, and who is subscribed to what. */

import type { MountStream } from './mount-stream.ts';
import { hasWildcard, topicMatches } from './topic.ts';

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
  private readonly routes = new Map<string, number>();
  private readonly wildcards = new Set<string>();

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

  subscribed(session: Session, topic: string, qos: number): void {
    if (!session.subscriptions.has(topic)) this.routes.set(topic, (this.routes.get(topic) ?? 0) + 1);
    if (hasWildcard(topic)) this.wildcards.add(topic);
    session.subscriptions.set(topic, qos);
  }

  unsubscribed(session: Session, topic: string): void {
    if (!session.subscriptions.delete(topic)) return;
    const left = (this.routes.get(topic) ?? 1) - 1;
    if (left > 0) this.routes.set(topic, left);
    else {
      this.routes.delete(topic);
      this.wildcards.delete(topic);
    }
  }

  /** A route is a subscription of anybody, also of an offline persistent session: what EMQX's publish API calls success. */
  hasRoute(topic: string): boolean {
    if (this.routes.has(topic)) return true;
    for (const filter of this.wildcards) if (topicMatches(filter, topic)) return true;
    return false;
  }

  private forget(session: Session): void {
    for (const topic of [...session.subscriptions.keys()]) this.unsubscribed(session, topic);
  }
}
