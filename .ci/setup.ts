/**
 * Finds what the tests need from the system, or installs it (root on Debian or Ubuntu), or names it in one line and fails. Nothing is
 * skipped for want of a tool, but what judges the infrastructure (terraform, helm) and the emulated board, whose tests say so.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { keepPrograms } from '../deploy/lab/primitives/programs.js';
import { fetchBoardSources } from './board-sources.ts';
import { fetchKubernetesTools } from './kubernetes.ts';

interface Need {
  what: string;
  debianPackage: string;
  found(): boolean;
}

const onPath = (command: string) => () => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

const fileAt = (path: string) => () => existsSync(path);

const needs: Need[] = [
  {
    what: "Chromium's headless shell",
    debianPackage: 'chromium-headless-shell',
    found: fileAt('/usr/bin/chromium-headless-shell'),
  },
  { what: 'openssl', debianPackage: 'openssl', found: onPath('openssl') },
  {
    what: 'nginx',
    debianPackage: 'nginx-light',
    found: () => onPath('nginx')() || existsSync('/usr/sbin/nginx'),
  },
  {
    what: 'libfaketime',
    debianPackage: 'faketime',
    found: () =>
      ['x86_64', 'aarch64'].some((machine) =>
        existsSync(`/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`),
      ),
  },
  {
    what: 'python3 with venv',
    debianPackage: 'python3-venv',
    found: () => spawnSync('python3', ['-c', 'import ensurepip, venv']).status === 0,
  },
  {
    what: 'Erlang with TLS',
    debianPackage: 'erlang-ssl',
    found: () =>
      spawnSync('erl', ['-noshell', '-eval', 'halt(case code:which(ssl) of non_existing -> 1; _ -> 0 end).'])
        .status === 0,
  },
  { what: 'jq', debianPackage: 'jq', found: onPath('jq') },
  { what: 'prometheus', debianPackage: 'prometheus', found: onPath('prometheus') },
  { what: 'amtool', debianPackage: 'prometheus-alertmanager', found: onPath('amtool') },
  {
    what: 'mosquitto',
    debianPackage: 'mosquitto',
    found: () => onPath('mosquitto')() || existsSync('/usr/sbin/mosquitto'),
  },
  { what: 'mosquitto_pub', debianPackage: 'mosquitto-clients', found: onPath('mosquitto_pub') },
  {
    what: 'a PostgreSQL server (initdb)',
    debianPackage: 'postgresql',
    found: () =>
      onPath('initdb')() ||
      (existsSync('/usr/lib/postgresql') &&
        readdirSync('/usr/lib/postgresql').some((v) => existsSync(`/usr/lib/postgresql/${v}/bin/initdb`))),
  },
  { what: 'make', debianPackage: 'make', found: onPath('make') },
  { what: 'gcc', debianPackage: 'gcc', found: onPath('gcc') },
  { what: 'size (binutils)', debianPackage: 'binutils', found: onPath('size') },
  { what: 'CMake', debianPackage: 'cmake', found: onPath('cmake') },
  { what: 'clang-19', debianPackage: 'clang-19', found: onPath('clang-19') },
  { what: 'clang-tidy-19', debianPackage: 'clang-tidy-19', found: onPath('clang-tidy-19') },
  {
    what: 'the sanitizers of clang-19',
    debianPackage: 'libclang-rt-19-dev',
    found: fileAt('/usr/lib/llvm-19/lib/clang/19/lib/linux'),
  },
  { what: 'arm-none-eabi-gcc', debianPackage: 'gcc-arm-none-eabi', found: onPath('arm-none-eabi-gcc') },
  {
    what: 'riscv64-unknown-elf-gcc',
    debianPackage: 'gcc-riscv64-unknown-elf',
    found: onPath('riscv64-unknown-elf-gcc'),
  },
  {
    what: 'picolibc for ARM',
    debianPackage: 'picolibc-arm-none-eabi',
    found: fileAt('/usr/lib/picolibc/arm-none-eabi'),
  },
  {
    what: 'picolibc for RISC-V',
    debianPackage: 'picolibc-riscv64-unknown-elf',
    found: fileAt('/usr/lib/picolibc/riscv64-unknown-elf'),
  },
  { what: 'qemu-system-arm', debianPackage: 'qemu-system-arm', found: onPath('qemu-system-arm') },
  { what: 'qemu-system-riscv32', debianPackage: 'qemu-system-misc', found: onPath('qemu-system-riscv32') },
  { what: 'wasm-ld-19', debianPackage: 'lld-19', found: onPath('wasm-ld-19') },
  { what: 'OpenSSL to build with', debianPackage: 'libssl-dev', found: fileAt('/usr/include/openssl/ssl.h') },
  { what: 'mosquitto.h', debianPackage: 'libmosquitto-dev', found: fileAt('/usr/include/mosquitto.h') },
  {
    what: 'curl.h',
    debianPackage: 'libcurl4-openssl-dev',
    found: () => onPath('curl-config')() || fileAt('/usr/include/curl/curl.h')(),
  },
  { what: 'dpkg-source', debianPackage: 'dpkg-dev', found: onPath('dpkg-source') },
  { what: 'doxygen', debianPackage: 'doxygen', found: onPath('doxygen') },
  { what: 'avr-gcc', debianPackage: 'gcc-avr', found: onPath('avr-gcc') },
  { what: 'avr-libc', debianPackage: 'avr-libc', found: fileAt('/usr/lib/avr/include/avr/io.h') },
  {
    what: "Arduino's AVR core",
    debianPackage: 'arduino-core-avr',
    found: fileAt('/usr/share/arduino/hardware/arduino/avr'),
  },
  { what: 'libsimavr', debianPackage: 'libsimavr-dev', found: fileAt('/usr/include/simavr/sim_avr.h') },
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
keepPrograms();
fetchBoardSources();
fetchKubernetesTools();
