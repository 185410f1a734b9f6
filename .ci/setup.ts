/**
 * Finds what the tests need from the system, or installs it (root on Debian or Ubuntu), or names it in one line and fails. Nothing is
 * skipped for want of a tool.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';

interface Need {
  what: string;
  debianPackage: string;
  found(): boolean;
}

const onPath = (command: string) => () => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

const needs: Need[] = [
  { what: 'chromium', debianPackage: 'chromium', found: onPath('chromium') },
  { what: 'openssl', debianPackage: 'openssl', found: onPath('openssl') },
  {
    what: 'nginx',
    debianPackage: 'nginx-light',
    found: () => onPath('nginx')() || existsSync('/usr/sbin/nginx'),
  },
  { what: 'jq', debianPackage: 'jq', found: onPath('jq') },
  { what: 'promtool', debianPackage: 'prometheus', found: onPath('promtool') },
  { what: 'mosquitto_pub', debianPackage: 'mosquitto-clients', found: onPath('mosquitto_pub') },
  {
    what: 'a PostgreSQL server (initdb)',
    debianPackage: 'postgresql',
    found: () =>
      onPath('initdb')() ||
      (existsSync('/usr/lib/postgresql') &&
        readdirSync('/usr/lib/postgresql').some((v) => existsSync(`/usr/lib/postgresql/${v}/bin/initdb`))),
  },
];

function missing(): Need[] {
  return needs.filter((need) => !need.found());
}

let left = missing();
if (left.length > 0 && process.getuid?.() === 0 && onPath('apt-get')()) {
  const packages = left.map((need) => need.debianPackage);
  process.stdout.write(`Installing for the tests: ${packages.join(' ')}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    execFileSync('apt-get', ['update', '-qq'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const install = ['install', '-y', '-qq', '--no-install-recommends', ...packages];
    execFileSync('apt-get', install, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  } catch {
    // What is still missing is named below.
  }
  left = missing();
}
if (left.length > 0) {
  const names = left.map((need) => `${need.what} (Debian: ${need.debianPackage})`).join(', ');
  process.stderr.write(`the tests need ${names}: install it, then run npm test again\n`);
  process.exit(1);
}
