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

const file = (path: string) => () => existsSync(path);

const needs: Need[] = [
  { what: 'chromium', debianPackage: 'chromium', found: onPath('chromium') },
  { what: 'openssl', debianPackage: 'openssl', found: onPath('openssl') },
  { what: 'make', debianPackage: 'make', found: onPath('make') },
  { what: 'gcc', debianPackage: 'gcc', found: onPath('gcc') },
  { what: 'clang-19', debianPackage: 'clang-19', found: onPath('clang-19') },
  { what: 'clang-tidy-19', debianPackage: 'clang-tidy-19', found: onPath('clang-tidy-19') },
  {
    what: "clang's sanitizers and libFuzzer",
    debianPackage: 'libclang-rt-19-dev',
    found: () =>
      onPath('clang-19')() &&
      existsSync(
        spawnSync('clang-19', ['-print-resource-dir'], { encoding: 'utf8' }).stdout.trim().concat('/lib'),
      ),
  },
  { what: 'OpenSSL headers', debianPackage: 'libssl-dev', found: file('/usr/include/openssl/evp.h') },
  { what: 'avr-gcc', debianPackage: 'gcc-avr', found: onPath('avr-gcc') },
  { what: 'avr-libc', debianPackage: 'avr-libc', found: file('/usr/lib/avr/include/avr/io.h') },
  {
    what: "Arduino's AVR core",
    debianPackage: 'arduino-core-avr',
    found: file('/usr/share/arduino/hardware/arduino/avr'),
  },
  { what: 'libsimavr', debianPackage: 'libsimavr-dev', found: file('/usr/include/simavr/sim_avr.h') },
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
