/** Events of the samples, as the broker's rule_test takes them. */
import type { Settings as Values } from '../schema.ts';
import { contextFields } from '../standin/rule-test.ts';

export interface Context {
  /** For POST /rule_test. */
  fields: Record<string, unknown>;
  /** Columns of the event that rule_test does not take. */
  dropped: string[];
}

/** The part of an event that the broker's rule_test takes; null for events of which it knows nothing. */
export function toContext(event: Values): Context | null {
  const type = String(event.event).replace('.', '_');
  const known = contextFields[type];
  if (!known) return null;
  const fields: Record<string, unknown> = { event_type: type };
  const dropped: string[] = [];
  for (const [name, value] of Object.entries(event)) {
    if (name === 'event' || value === 'undefined') continue;
    if (!(name in known)) dropped.push(name);
    else fields[name] = name === 'proto_ver' ? String(value) : value;
  }
  return { fields, dropped };
}
