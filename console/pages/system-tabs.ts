import type { MessageKey } from '../i18n/i18n.ts';
import type { Role } from '../session.ts';

/** The pages about Flota itself, and whose they are; `fleet`: of who reaches all of it. */
export const tabs: { path: string; name: MessageKey; to: Role; fleet: boolean }[] = [
  { path: 'broker', name: 'broker.title', to: 'viewer', fleet: true },
  { path: 'regions', name: 'places.title', to: 'viewer', fleet: false },
  { path: 'dead-letters', name: 'letters.title', to: 'viewer', fleet: true },
  { path: 'approvals', name: 'approval.rules', to: 'viewer', fleet: false },
  { path: 'encryption', name: 'encryption.title', to: 'viewer', fleet: false },
  { path: 'notifications', name: 'notify.title', to: 'admin', fleet: true },
  { path: 'users', name: 'users.title', to: 'admin', fleet: true },
  { path: 'tokens', name: 'tokens.title', to: 'admin', fleet: true },
  { path: 'audit', name: 'audit.title', to: 'admin', fleet: true },
];
