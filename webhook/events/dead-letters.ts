import { desc } from 'drizzle-orm';
import type { Db } from '../db/connect.ts';
import { deadLetters } from './table.ts';

export interface DeadLetter {
  code: string;
  detail: string;
  clientId: string | null;
  topic: string | null;
  body: string;
}

/** A dead letter is for a person to read: enough of the body, and nothing that the database cannot hold. */
const maxBodyChars = 16_384;

export async function bury(db: Db, letters: DeadLetter[]): Promise<void> {
  await db.insert(deadLetters).values(
    letters.map((l) => ({
      code: l.code,
      detail: clean(l.detail),
      clientId: l.clientId && clean(l.clientId),
      topic: l.topic && clean(l.topic),
      body: clean(l.body),
    })),
  );
}

export async function listDeadLetters(db: Db, limit: number) {
  return db.select().from(deadLetters).orderBy(desc(deadLetters.id)).limit(limit);
}

function clean(text: string): string {
  return text
    .slice(0, maxBodyChars)
    .replaceAll('\0', '\uFFFD')
    .replace(/[\uD800-\uDFFF]/gu, '\uFFFD');
}
