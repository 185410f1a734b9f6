/** Client ids that may not connect, each until a time. */
export interface Ban {
  as: 'clientid';
  who: string;
  by: string;
  reason: string;
  at: string;
  until: string;
}

export class Bans {
  private readonly byId = new Map<string, Ban>();

  has(clientid: string): boolean {
    const until = this.byId.get(clientid)?.until;
    if (until === undefined) return false;
    if (until === 'infinity' || Date.parse(until) > Date.now()) return true;
    this.byId.delete(clientid);
    return false;
  }

  add(ban: Ban): void {
    this.byId.set(ban.who, ban);
  }

  lift(clientid: string): boolean {
    return this.has(clientid) && this.byId.delete(clientid);
  }

  all(): Ban[] {
    return [...this.byId.values()].filter(({ who }) => this.has(who));
  }
}
