/** For tests only: a program with debugging information, and a place in it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const source = `static inline __attribute__((always_inline)) int parse(int *at) { return *at; }
int read_sensor(int *at) {
  return parse(at);
}
int main(void) { return read_sensor(0); }
`;

/** `address` is where `read_sensor` (`sensor.c`) begins. */
export function buildElf(): { elf: Buffer; address: string } {
  const dir = mkdtempSync(join(tmpdir(), 'flota-crash-'));
  try {
    const [file, program] = [join(dir, 'sensor.c'), join(dir, 'sensor.elf')];
    writeFileSync(file, source);
    execFileSync('gcc', ['-g', '-O1', '-no-pie', '-fno-inline-functions', '-o', program, file]);
    const symbols = execFileSync('nm', [program]).toString();
    const [, address] = /^0*([0-9a-f]+) T read_sensor$/m.exec(symbols)!;
    return { elf: readFileSync(program), address: `0x${address}` };
  } finally {
    rmSync(dir, { recursive: true });
  }
}
