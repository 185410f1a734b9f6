/** Where notifications go. A secret is returned once, by what has made it, and never again. */
import { and, asc, eq } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import { orNameTaken } from '../db/name-taken.ts';
import { type Db, foreignKeyViolation, sqlState } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { AppError } from '../errors.ts';
import type { Courier } from './courier.ts';
import { refuse } from './post.ts';
import { createSecret, rotate, valid } from './signature.ts';
import { type ChannelLanguage, notificationChannels, notificationDeliveries } from './table.ts';
import { targetOf } from './target.ts';

export type Channel = typeof notificationChannels.$inferSelect;
export type ChannelInput = { name: string; language: ChannelLanguage } & (
  | { kind: 'webhook' | 'slack'; url: string }
  | { kind: 'email'; recipients: string[] }
);
export interface ChannelChange {
  name?: string | undefined;
  url?: string | undefined;
  recipients?: string[] | undefined;
  language?: ChannelLanguage | undefined;
}

/** How many secrets are valid now: two for a day after a rotation. */
export const secretsOf = ({ secrets }: Channel): number => valid(secrets, Date.now()).length;

export async function list(db: Db): Promise<Channel[]> {
  return db.select().from(notificationChannels).orderBy(asc(notificationChannels.name));
}

export async function create(
  db: Db,
  courier: Courier,
  input: ChannelInput,
  actor: string,
): Promise<{ channel: Channel; secret: string | null }> {
  checkTarget(courier, input);
  const secrets = input.kind === 'webhook' ? [createSecret()] : [];
  return orNameTaken(input.name, () =>
    db.transaction(async (tx) => {
      const values = { ...input, secrets, createdBy: actor };
      const [channel] = await tx.insert(notificationChannels).values(values).returning();
      await note(tx, 'create', channel!, actor);
      return { channel: channel!, secret: secrets[0]?.secret ?? null };
    }),
  );
}

export async function change(
  db: Db,
  courier: Courier,
  id: string,
  input: ChannelChange,
  actor: string,
  expected = anything,
): Promise<Channel> {
  return orNameTaken(input.name ?? '', () =>
    db.transaction(async (tx) => {
      const { kind, revision } = await lock(tx, id);
      expected.ensureIs(revision);
      if (kind === 'email' ? input.url !== undefined : input.recipients !== undefined)
        throw new AppError('invalid_request', `A channel of the kind ${kind} has no such field.`);
      checkTarget(courier, { kind, ...input });
      const where = eq(notificationChannels.id, id);
      const [channel] = await tx.update(notificationChannels).set(input).where(where).returning();
      await note(tx, 'change', channel!, actor);
      return channel!;
    }),
  );
}

/** The one before signs as well, for a day. */
export async function rotateSecret(db: Db, id: string, actor: string, expected = anything): Promise<string> {
  return db.transaction(async (tx) => {
    const channel = await lock(tx, id);
    expected.ensureIs(channel.revision);
    if (channel.kind !== 'webhook')
      throw new AppError('invalid_request', 'Only signed webhooks have a secret.');
    const secrets = rotate(channel.secrets, Date.now());
    await tx.update(notificationChannels).set({ secrets }).where(eq(notificationChannels.id, id));
    await note(tx, 'rotate', channel, actor);
    return secrets[0]!.secret;
  });
}

/** Throws `in_use` while a rule names it. What waits for it is told to nobody; the log keeps what was told. */
export async function remove(db: Db, id: string, actor: string, expected = anything): Promise<void> {
  try {
    await db.transaction(async (tx) => {
      const channel = await lock(tx, id);
      expected.ensureIs(channel.revision);
      await tx
        .update(notificationDeliveries)
        .set({ state: 'dead', fault: 'channel_deleted' })
        .where(and(eq(notificationDeliveries.channelId, id), eq(notificationDeliveries.state, 'waiting')));
      await tx.delete(notificationChannels).where(eq(notificationChannels.id, id));
      await note(tx, 'delete', channel, actor);
    });
  } catch (error) {
    if (sqlState(error) !== foreignKeyViolation) throw error;
    throw new AppError('in_use', 'Rules name it: take it out of them first.', { cause: error });
  }
}

export async function lock(tx: Db, id: string): Promise<Channel> {
  const where = eq(notificationChannels.id, id);
  const [channel] = await tx.select().from(notificationChannels).where(where).for('update');
  if (!channel) throw new AppError('not_found', 'There is no such channel.');
  return channel;
}

/** What can be known without asking DNS; each delivery asks it, and judges what it says. */
function checkTarget(
  { networks, mail }: Courier,
  { kind, url }: { kind: Channel['kind']; url?: string | undefined },
): void {
  if (kind === 'email' && !mail)
    throw new AppError('mail_not_configured', 'No mail server is configured (SMTP_URL).');
  if (url === undefined) return;
  const to = new URL(url);
  const isLiteral = /^\[|^\d+(\.\d+){3}$/.test(to.hostname);
  if (isLiteral && networks.judge(to.hostname) === 'refused')
    throw new AppError('address_refused', `${refuse(to, to.hostname).answer}.`);
}

type Act = 'create' | 'change' | 'rotate' | 'delete';

async function note(tx: Db, act: Act, channel: Channel, actor: string): Promise<void> {
  const { name, kind, language } = channel;
  const detail = { name, kind, language, target: targetOf(channel) };
  await record(tx, { actor, action: `notification_channel.${act}`, subject: channel.id, detail });
}
