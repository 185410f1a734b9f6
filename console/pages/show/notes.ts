import { formatBytes } from '../../format.ts';
import { language, t, tMaybe } from '../../i18n/i18n.ts';
import type { Note } from './wire.ts';

/** What happened to a device, as one short sentence. */
export function noteText(note: Note): string {
  const values = {
    bytes: note.bytes === undefined ? '' : formatBytes(language(), note.bytes),
    version: note.version ?? '',
    why: note.error ? (tMaybe(`failure.${note.error}`) ?? note.error) : '',
  };
  return t(`show.note.${note.code}`, values);
}
