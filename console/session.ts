import { createSignal } from 'solid-js';

export type User = { email: string; role: string };

const [user, setUser] = createSignal<User | null>(null);
const [loginWanted, setLoginWanted] = createSignal(false);

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

export { askLogin, loggedIn, loginWanted, setUser, user };
