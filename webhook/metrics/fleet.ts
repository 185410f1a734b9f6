/** What the database says of the whole system, the same from every copy; read when it is asked for. */
import { sql } from 'drizzle-orm';
import { ageOfPublished } from '../certificates/crl.ts';
import { countExpiring } from '../certificates/inventory.ts';
import { type Db, query } from '../db/query.ts';
import { everything } from '../devices/reach.ts';
import { countDropped } from '../events/dead-letters.ts';
import { countDeliveries } from '../notifications/deliveries.ts';
import { heading, sample } from './metrics.ts';

// A reader of several features' tables, and of their sizes only.
export async function writeFleet(db: Db): Promise<string> {
  const [outbox] = await query<{ waiting: number; parked: number; age: number }>(
    db,
    sql`select count(*) filter (where send_at is not null)::int as waiting,
          count(*) filter (where send_at is null)::int as parked,
          coalesce(extract(epoch from now() - min(created_at) filter (where send_at is not null)), 0)::float8 as age
        from outbox`,
  );
  const targets = await query<{ state: string; n: number }>(
    db,
    sql`select t.state, sum(n)::int as n from target_tallies t
        join deployments d on d.id = t.deployment_id and d.state = 'running'
        group by t.state having sum(n) > 0 order by t.state`,
  );
  const [letters] = await query<{ n: number }>(db, sql`select count(*)::int as n from dead_letters`);
  const dropped = await countDropped(db);
  const [devices] = await query<{ total: number; online: number }>(
    db,
    sql`select count(*)::int as total, count(*) filter (where online)::int as online from devices`,
  );
  const expiring = await countExpiring(db, everything);
  const notifications = await countDeliveries(db);
  const crls = await ageOfPublished(db);
  return `${[
    ...heading(
      'flota_outbox_commands',
      'gauge',
      'Commands not sent yet: waiting, or parked until their device is back',
    ),
    sample('flota_outbox_commands', { state: 'waiting' }, outbox!.waiting),
    sample('flota_outbox_commands', { state: 'parked' }, outbox!.parked),
    ...heading('flota_outbox_oldest_seconds', 'gauge', 'Age of the oldest command that waits'),
    sample('flota_outbox_oldest_seconds', {}, outbox!.age),
    ...heading('flota_targets', 'gauge', 'Targets of running deployments, by state'),
    ...targets.map(({ state, n }) => sample('flota_targets', { state }, n)),
    ...heading('flota_dead_letters', 'gauge', 'Events that could not be handled and are kept'),
    sample('flota_dead_letters', {}, letters!.n),
    ...heading(
      'flota_dead_letters_dropped_total',
      'counter',
      'Dead letters not kept: too many of one device',
    ),
    sample('flota_dead_letters_dropped_total', {}, dropped.letters),
    ...heading('flota_dead_letters_dropped_bytes_total', 'counter', 'What they held'),
    sample('flota_dead_letters_dropped_bytes_total', {}, dropped.bytes),
    ...heading('flota_devices', 'gauge', 'Registered devices, by presence'),
    sample('flota_devices', { online: 'true' }, devices!.online),
    sample('flota_devices', { online: 'false' }, devices!.total - devices!.online),
    ...heading(
      'flota_device_certificates_expiring',
      'gauge',
      'Devices whose certificate ends within so many days',
    ),
    sample('flota_device_certificates_expiring', { days: '30' }, expiring.within30Days),
    sample('flota_device_certificates_expiring', { days: '14' }, expiring.within14Days),
    sample('flota_device_certificates_expiring', { days: '3' }, expiring.within3Days),
    ...heading('flota_device_certificates_expired', 'gauge', 'Devices whose certificate has ended'),
    sample('flota_device_certificates_expired', {}, expiring.expired),
    ...heading('flota_notifications', 'gauge', 'Notifications that wait, or were given up'),
    sample('flota_notifications', { state: 'waiting' }, notifications.waiting),
    sample('flota_notifications', { state: 'dead' }, notifications.dead),
    ...heading(
      'flota_notifications_oldest_seconds',
      'gauge',
      'Age of the oldest that was tried and not taken',
    ),
    sample('flota_notifications_oldest_seconds', {}, notifications.oldest),
    ...heading(
      'flota_crl_unpublished_seconds',
      'gauge',
      'Since when the CRL in the file store was not seen whole',
    ),
    ...crls.map(({ name, seconds }) => sample('flota_crl_unpublished_seconds', { name }, seconds)),
  ].join('\n')}\n`;
}
