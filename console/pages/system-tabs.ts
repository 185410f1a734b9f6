import type { MessageKey } from '../i18n/i18n.ts';
import type { Role } from '../session.ts';

/** The pages about Flota itself, and whose they are. */
export const tabs: { path: string; name: MessageKey; to: Role }[] = [
  { path: 'broker', name: 'broker.title', to: 'viewer' },
  { path: 'regions', name: 'places.title', to: 'viewer' },
  { path: 'dead-letters', name: 'letters.title', to: 'viewer' },
  { path: 'notifications', name: 'notify.title', to: 'admin' },
  { path: 'users', name: 'users.title', to: 'admin' },
  { path: 'tokens', name: 'tokens.title', to: 'admin' },
  { path: 'audit', name: 'audit.title', to: 'admin' },
];
