/** `flota crashes`: what devices crash of, by places of programs, and one of them with functions and lines. */
import { parseWhole } from '#deploy/lab/fleet/units.ts';
import { insist } from './client.ts';
import type { Command } from './command.ts';
import { CliError } from './errors.ts';
import { findFirmwares } from './firmware.ts';
import { table } from './output.ts';
import { readPages } from './pages.ts';

const shownByDefault = 100;

export const list: Command = {
  name: 'crashes list',
  summary: 'crashes of devices by the place of the program, those that were seen last first',
  options: {
    version: { hint: 'V', help: 'only of firmwares with this version' },
    limit: { hint: 'N', help: `how many at most (default: ${shownByDefault})` },
  },
  examples: ['', '--version 2.1.0 --json'],
  async run(input) {
    const max = input.parsed('limit', parseWhole(1, 1_000_000)) ?? shownByDefault;
    const version = input.text('version');
    const flota = input.flota();
    const read = (firmware?: string) =>
      readPages(max, (page) =>
        insist(flota.GET('/api/crashes', { params: { query: { firmware, ...page } } })),
      );
    const readOf = async (version: string) => {
      const of = (await findFirmwares(flota, version)).filter((f) => f.version === version);
      if (of.length === 0)
        throw CliError.of('firmware_unknown', `There is no firmware with the version ${version}.`);
      const groups = (await Promise.all(of.map(({ id }) => read(id)))).flat();
      return [...new Map(groups.map((group) => [group.id, group])).values()].slice(0, max);
    };
    const found = version === undefined ? await read() : await readOf(version);
    const rows = found.map((group) => [
      group.id,
      group.firmware && `${group.firmware.name} ${group.firmware.version}`,
      group.reason,
      group.place?.function ?? group.frames[0],
      group.devices,
      group.reports,
      group.lastSeenAt,
    ]);
    input.out.show(
      found,
      table(['ID', 'FIRMWARE', 'REASON', 'PLACE', 'DEVICES', 'REPORTS', 'LAST SEEN'], rows),
    );
    if (found.length === max) input.out.note(`The first ${max}; --limit N shows more.`);
  },
};

const unnamed = {
  no_elf: 'Addresses only: upload the ELF of this firmware in the console.',
  no_tool: 'Addresses only: where the server runs there is nothing that reads an ELF.',
  failed: 'Addresses only: the ELF could not be read; it is tried again.',
};

export const show: Command = {
  name: 'crashes show',
  operands: ['GROUP'],
  summary: 'one place: its newest backtrace with functions and lines, and its devices',
  examples: ['0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1', '0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1 --json'],
  async run(input) {
    const path = { id: input.operands[0]! };
    const group = await insist(input.flota().GET('/api/crashes/{id}', { params: { path } }));
    const facts = table(
      ['ID', group.id],
      [
        ['firmware', group.firmware && `${group.firmware.name} ${group.firmware.version}`],
        ['ELF', group.elf],
        ['reason', group.reason],
        ['task', group.task],
        ['seen', `${group.firstSeenAt} to ${group.lastSeenAt}`],
        ['reports', group.reports],
        ['devices', group.devices],
      ],
    );
    const calls = group.backtrace.flatMap(({ address, calls }) =>
      (calls.length ? calls : [null]).map((call, i) => [
        i === 0 ? address : '',
        call?.function,
        call?.file && (call.line === null ? call.file : `${call.file}:${call.line}`),
      ]),
    );
    input.out.show(group, [
      ...facts,
      '',
      ...table(['ADDRESS', 'FUNCTION', 'SOURCE'], calls),
      '',
      ...table(
        ['DEVICE', 'REPORTS', 'LAST SEEN'],
        group.affected.map((one) => [one.device, one.reports, one.lastSeenAt]),
      ),
    ]);
    if (group.symbols !== 'known') input.out.note(unnamed[group.symbols]);
  },
};
