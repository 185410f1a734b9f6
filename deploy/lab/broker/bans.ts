import { describe, expect, it } from 'vitest';
import { until } from '../primitives/until.ts';
import { unwrap } from '../rest.ts';
import { type Bed, closed } from './bed.ts';

export function defineBans(bed: () => Bed): void {
  describe('a ban', () => {
    it('ends the connection and keeps the device out, whatever its certificate, until it is lifted', async () => {
      const { rest, register, enroll, online, attempt, idOf } = bed();
      const id = idOf('banned');
      await register(id);
      const [pair, other] = [await enroll(id), await enroll(id)];
      const client = await online(pair);
      const gone = closed(client);
      await unwrap(rest.api.bans.$post({ json: { device: id, reason: 'stolen' } }));
      await gone;
      while ((await attempt(other)) === 'kicked');
      const lifted = await rest.api.bans[':device'].$delete({ param: { device: id } });
      expect(lifted.status).toBe(204);
      await until('the device is let in again', () =>
        online(other).then(
          () => true,
          () => false,
        ),
      );
    });
  });
}
