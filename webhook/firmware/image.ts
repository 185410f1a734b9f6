/**
 * What a firmware file says of itself, read from its head: by the browser before it is sent and by the server when it is
 * registered. Pure, bounded, total: any bytes return an `Image`. Imports nothing but its neighbour.
 */
import { readIntelHex } from './intel-hex.ts';

/** Larger than any microcontroller's slot; keeps a mistake from being hashed for minutes. */
export const maxFirmwareBytes = 256 * 1024 * 1024;
/** As much of a file as `readImage` looks at: the whole Intel HEX of a program that fills an Uno (32 KiB). */
export const headBytes = 128 * 1024;

export interface Image {
  /** `other` is a file of another kind (`kind` names it), `plain` anything that says nothing of itself. */
  format: 'esp-idf' | 'mcuboot' | 'intel-hex' | 'avr' | 'plain' | 'other';
  kind?: string;
  /** As the image has it; absent when it names none. */
  version?: string;
  /** `esp32-s3`, `avr`; `esp chip 0x0020` for one that is not in the list. */
  chip?: string;
  project?: string;
  /** Of ESP-IDF: `CONFIG_BOOTLOADER_APP_SECURE_VERSION`. Absent when it is 0, which is also what an image has that sets none. */
  securityVersion?: number;
  /** Of ESP-IDF. */
  idf?: string;
  elfSha256?: string;
  /** Of Intel HEX: the line that is damaged or missing. */
  damagedLine?: number;
}

export interface Registration {
  version: string;
  /** Of the component. Absent: whatever the image is for. */
  hardware?: string | undefined;
}

export type ImageProblem =
  | { code: 'image_not_firmware'; values: { kind: string } }
  | { code: 'image_version_differs'; values: { image: string; version: string } }
  | { code: 'image_chip_differs'; values: { image: string; hardware: string } }
  | { code: 'image_is_hex'; values: { hardware: string } }
  | { code: 'image_hex_damaged'; values: { line: string } };

const magics: [string, number[]][] = [
  ['PNG', [0x89, 0x50, 0x4e, 0x47]],
  ['JPEG', [0xff, 0xd8, 0xff]],
  ['GIF', [0x47, 0x49, 0x46, 0x38]],
  ['ZIP', [0x50, 0x4b, 0x03, 0x04]],
  ['ELF', [0x7f, 0x45, 0x4c, 0x46]],
  ['PDF', [0x25, 0x50, 0x44, 0x46]],
];

/** `esp_chip_id_t`: espressif/esp-idf v5.5, components/bootloader_support/include/esp_app_format.h. */
const espChips = new Map([
  [0x0000, 'esp32'],
  [0x0002, 'esp32-s2'],
  [0x0005, 'esp32-c3'],
  [0x0009, 'esp32-s3'],
  [0x000c, 'esp32-c2'],
  [0x000d, 'esp32-c6'],
  [0x0010, 'esp32-h2'],
  [0x0012, 'esp32-p4'],
  [0x0014, 'esp32-c61'],
  [0x0017, 'esp32-c5'],
  [0x0019, 'esp32-h21'],
  [0x001c, 'esp32-h4'],
]);

/** `file` is the beginning of a file, `headBytes` of it or the whole; more is not looked at. */
export function readImage(file: Uint8Array): Image {
  const head = file.subarray(0, headBytes);
  const other = magics.find(([, magic]) => magic.every((byte, at) => head[at] === byte));
  if (other) return { format: 'other', kind: other[0] };
  return (
    readEspIdf(head) ??
    readMcuboot(head) ??
    readHex(head, file.length < headBytes) ??
    readAvr(head) ?? { format: 'plain' }
  );
}

/**
 * `esp_image_header_t` (24 bytes), `esp_image_segment_header_t` (8), then `esp_app_desc_t` (256) at the start of the first
 * segment: espressif/esp-idf v5.5, esp_app_format.h as above and components/esp_app_format/include/esp_app_desc.h.
 * A boot loader has the first two only and stays `plain`.
 */
function readEspIdf(head: Uint8Array): Image | null {
  const description = 24 + 8;
  if (head.length < description + 256 || head[0] !== 0xe9) return null;
  const view = viewOf(head);
  if (view.getUint32(description, true) !== 0xabcd5432) return null;
  const chipId = view.getUint16(12, true);
  const securityVersion = view.getUint32(description + 4, true);
  const elf = head.subarray(description + 144, description + 176);
  return present({
    format: 'esp-idf',
    chip: espChips.get(chipId) ?? `esp chip 0x${chipId.toString(16).padStart(4, '0')}`,
    version: text(head, description + 16),
    project: text(head, description + 48),
    // More than a device or the database counts to is no number of anybody's.
    ...(securityVersion < 2 ** 31 && { securityVersion }),
    idf: text(head, description + 112),
    elfSha256: elf.some((byte) => byte)
      ? Array.from(elf, (b) => b.toString(16).padStart(2, '0')).join('')
      : '',
  });
}

/** A string of 32 bytes; what is not printable text says nothing. */
function text(bytes: Uint8Array, at: number): string {
  const field = bytes.subarray(at, at + 32);
  const end = field.indexOf(0);
  const read = new TextDecoder().decode(end < 0 ? field : field.subarray(0, end)).trim();
  return /^[^\p{C}\uFFFD]*$/u.test(read) ? read : '';
}

/** `struct image_header`: mcu-tools/mcuboot v2.2.0, boot/bootutil/include/bootutil/image.h. 0.0.0+0 is imgtool's "no version". */
function readMcuboot(head: Uint8Array): Image | null {
  if (head.length < 32) return null;
  const view = viewOf(head);
  if (view.getUint32(0, true) !== 0x96f3b83d) return null;
  const build = view.getUint32(24, true);
  const version = `${head[20]}.${head[21]}.${view.getUint16(22, true)}${build ? `+${build}` : ''}`;
  return present({ format: 'mcuboot', version: version === '0.0.0' ? '' : version });
}

function readHex(head: Uint8Array, isWhole: boolean): Image | null {
  if (head[0] !== 0x3a) return null;
  const hex = readIntelHex(new TextDecoder('latin1').decode(head), isWhole);
  if (!hex) return null;
  const { program, ...damage } = hex;
  return { ...readAvr(program), ...damage, format: 'intel-hex' };
}

/** The 26 interrupt vectors of an ATmega328P, each a `jmp` (0x940C). Flota's sketch holds the line that it says on request. */
function readAvr(program: Uint8Array): Image | null {
  for (let at = 0; at < 26 * 4; at += 4) if (program[at] !== 0x0c || program[at + 1] !== 0x94) return null;
  const line = /version ([A-Za-z0-9._+-]{1,32}) \0/.exec(new TextDecoder('latin1').decode(program));
  return present({ format: 'avr', chip: 'avr', version: line?.[1] ?? '' });
}

/** Without the fields that are empty. */
function present(image: Image): Image {
  return Object.fromEntries(Object.entries(image).filter(([, value]) => value)) as unknown as Image;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const espChipNames = [...espChips.values()];

/** What an ESP32 reports of its Uno. Its installer writes binaries: devices compare the digest of the file with that of the flash. */
const uno = 'arduino-uno';

/** The hardware that an image is for, as far as it says. */
export function hardwareOf(image: Image): string | undefined {
  if (image.chip === 'avr') return uno;
  return espChipNames.find((chip) => chip === image.chip);
}

/**
 * The chip that a hardware name begins with (`esp32-s3`, `esp32s3-box`), or undefined. `esp32` counts only alone: in
 * `esp32-box` it may be the family.
 */
function chipOf(hardware: string): string | undefined {
  const [, series] = /^esp32-?([a-z]\d+)?(?![a-z0-9])/i.exec(hardware) ?? [];
  const chip = series ? `esp32-${series.toLowerCase()}` : hardware.toLowerCase();
  return espChipNames.find((name) => name === chip);
}

/** Why this image cannot be registered like this; empty when it can. MCUboot's build number may be left out: agents report versions without it. */
export function findImageProblems(image: Image, { version, hardware }: Registration): ImageProblem[] {
  if (image.format === 'other') return [{ code: 'image_not_firmware', values: { kind: image.kind! } }];
  const problems: ImageProblem[] = [];
  if (image.damagedLine)
    problems.push({ code: 'image_hex_damaged', values: { line: String(image.damagedLine) } });
  const withoutBuild = image.format === 'mcuboot' ? image.version?.replace(/\+.*/, '') : image.version;
  if (image.version && version !== image.version && version !== withoutBuild) {
    problems.push({ code: 'image_version_differs', values: { image: image.version, version } });
  }
  const chip = hardware === undefined ? undefined : chipOf(hardware);
  if (chip && image.chip && chip !== image.chip) {
    problems.push({ code: 'image_chip_differs', values: { image: image.chip, hardware: hardware! } });
  }
  if (image.format === 'intel-hex' && (hardware ?? hardwareOf(image)) === uno) {
    problems.push({ code: 'image_is_hex', values: { hardware: uno } });
  }
  return problems;
}

/** For the API and the command line; the console has words of its own. */
export function tellImageProblem({ code, values }: ImageProblem): string {
  switch (code) {
    case 'image_not_firmware':
      return `The file is not a firmware image: it is ${values.kind}.`;
    case 'image_version_differs':
      return `The image says that it is version ${values.image}, not ${values.version}.`;
    case 'image_chip_differs':
      return `The image is for ${values.image}; hardware ${values.hardware} has another chip.`;
    case 'image_is_hex':
      return `Hardware ${values.hardware} takes a binary, not Intel HEX: avr-objcopy -I ihex -O binary sketch.hex sketch.bin makes it.`;
    case 'image_hex_damaged':
      return `The Intel HEX file is damaged or cut off at line ${values.line}.`;
  }
}
