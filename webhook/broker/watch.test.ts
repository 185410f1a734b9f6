import { expect, test } from 'vitest';
import { EmqxError } from '#emqx/api.ts';
import type { Inspection } from '#emqx/inspect.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { writeSnapshot } from '../metrics/snapshot.ts';
import { createWatchPassword } from './watch.ts';

const answering = (answer: () => Pick<Inspection, 'defaultPassword'>) => {
  const inspector = {
    looks: 0,
    async inspect() {
      inspector.looks++;
      return answer() as Inspection;
    },
  };
  return inspector;
};

for (const [defaultPassword, value] of [
  [true, 1],
  [false, 0],
] as const)
  test(`the metrics say ${value} while everybody's password is ${defaultPassword ? '' : 'not '}taken, by one look an hour`, async () => {
    const [metrics, inspector] = [createMetrics(), answering(() => ({ defaultPassword }))];
    const watch = createWatchPassword(0);
    for (let round = 0; round < 3; round++) await watch({ metrics, inspector });
    expect(writeSnapshot(metrics.read())).toContain(
      `# TYPE flota_broker_default_password gauge\nflota_broker_default_password ${value}\n`,
    );
    expect(inspector.looks).toBe(1);
  });

test('a broker that is away is no verdict, and copies that start together do not all knock at once', async () => {
  const metrics = createMetrics();
  const away = answering(() => {
    throw new EmqxError('broker_unreachable', 'away');
  });
  await createWatchPassword(0)({ metrics, inspector: away });
  expect(away.looks).toBe(1);
  const there = answering(() => ({ defaultPassword: true }));
  await createWatchPassword(60_000)({ metrics, inspector: there });
  await createWatchPassword(0)({ metrics });
  expect(there.looks).toBe(0);
  expect(writeSnapshot(metrics.read())).not.toContain('default_password');
});
