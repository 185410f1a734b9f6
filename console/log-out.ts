import { api } from './api.ts';

/** A whole reload drops everything that the last user could see. */
export async function logOut(): Promise<void> {
  await api.logout().catch(() => {});
  location.assign('/');
}
