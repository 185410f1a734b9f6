import { createSignal } from 'solid-js';

/** Each may do all that the ones before it may. */
const roles = ['viewer', 'operator', 'admin'];
export type Role = 'viewer' | 'operator' | 'admin';
export type User = { email: string; role: string };

const [user, setUser] = createSignal<User | null>(null);
const [loginWanted, setLoginWanted] = createSignal(false);

/** Whether who is logged in may do what takes this role. The server decides; this only spares a press that it would refuse. */
function may(role: Role): boolean {
  return roles.indexOf(user()?.role ?? '') >= roles.indexOf(role);
}

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

function loggedIn(who: User): void {
  setUser(who);
  setLoginWanted(false);
  waiting = null;
  resolveWaiting();
}

export { askLogin, loggedIn, loginWanted, may, setUser, user };
