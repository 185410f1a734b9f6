/** `/banned`: by client id only, since a device's address and user say nothing about who it is. */
import { type ApiParts, badRequest, notFound, pageOf, type Route } from './api-route.ts';
import type { Ban } from './bans.ts';

export function banRoutes({ bans, kick }: ApiParts): Route[] {
  return [
    [
      'POST /banned',
      async ({ body }) => {
        const { as, who, reason, until } = (body ?? {}) as Record<string, unknown>;
        if (as !== 'clientid') return badRequest(`as ${as}: the stand-in bans by clientid only`);
        if (typeof who !== 'string') return badRequest('who: required_field');
        const seconds = typeof until === 'number' ? until : Date.parse(String(until)) / 1000;
        if (until !== undefined && until !== 'infinity' && !(seconds * 1000 > Date.now()))
          return badRequest(`cannot create expired banned, ${until}`);
        if (bans.has(who)) return badRequest(`${who} is banned`, 'ALREADY_EXISTS');
        const ban: Ban = {
          ...{ as, who, by: 'mgmt_api', reason: String(reason ?? ''), at: rfc3339(Date.now()) },
          until: until === undefined || until === 'infinity' ? 'infinity' : rfc3339(seconds * 1000),
        };
        bans.add(ban);
        await kick(who);
        return { status: 200, body: ban };
      },
    ],
    [
      'GET /banned',
      ({ query }) => {
        const all = bans.all();
        const { status, body } = pageOf(query, all, { count: all.length, hasnext: undefined });
        return { status, body };
      },
    ],
    [
      'DELETE /banned',
      () => {
        for (const { who } of bans.all()) bans.lift(who);
        return { status: 204 };
      },
    ],
    [
      'DELETE /banned/clientid/:who',
      ({ params }) =>
        bans.lift(params[0]!) ? { status: 204 } : notFound(`clientid: ${params[0]} not found`),
    ],
  ];
}

function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}+00:00`;
}
