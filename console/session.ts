import { createSignal } from 'solid-js';

/** Each may do all that the ones before it may. */
const roles = ['viewer', 'operator', 'admin'];
export type Role = 'viewer' | 'operator' | 'admin';
export type Reach = { regions: string[]; divisions: string[]; query?: string | undefined };
/**
 * `reach` null: the role holds for the whole fleet. `show`: there are virtual devices to play with (`npm start`). `sso`: no password of
 * one's own here. `totp`: a login takes an authenticator's code.
 */
export type User = { email: string; role: string; reach: Reach | null; show?: true; sso?: true; totp?: true };

const [user, setUser] = createSignal<User | null>(null);
/** Wrong passwords for this account since the login before, and the networks of most of them; null once it was read. */
export type FailedLogins = { count: number; networks: string[] };

const [failedLogins, setFailedLogins] = createSignal<FailedLogins | null>(null);
const [loginWanted, setLoginWanted] = createSignal(false);

/** Whether who is logged in may do what takes this role. The server decides; this only spares a press that it would refuse. */
function may(role: Role): boolean {
  return roles.indexOf(user()?.role ?? '') >= roles.indexOf(role);
}

/** What belongs to the whole fleet is closed to a role that holds for a part of it. */
const reachesAll = (): boolean => user()?.reach === null;

let waiting: Promise<void> | null = null;
let resolveWaiting = () => {};

/** Resolves once somebody has logged in. All who ask meanwhile share one login. */
function askLogin(): Promise<void> {
  waiting ??= new Promise((resolve) => {
    resolveWaiting = resolve;
    setLoginWanted(true);
  });
  return waiting;
}

/** What only a login tells is kept apart: it is shown until it is dismissed, however often the user is asked for again. */
function loggedIn({ failedLogins = null, ...who }: User & { failedLogins?: FailedLogins | null }): void {
  setUser(who);
  setFailedLogins(failedLogins);
  setLoginWanted(false);
  waiting = null;
  resolveWaiting();
}

const dismissFailedLogins = () => setFailedLogins(null);

export { askLogin, dismissFailedLogins, failedLogins, loggedIn, loginWanted, may, reachesAll, setUser, user };
