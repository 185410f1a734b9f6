import { CaError } from './client.ts';

/** One PEM block, RFC 7468 strict form: 64 columns, one final newline. */
export function encodePem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.length).toString('base64');
  let pem = `-----BEGIN ${label}-----\n`;
  for (let at = 0; at < base64.length; at += 64) pem += `${base64.slice(at, at + 64)}\n`;
  return `${pem}-----END ${label}-----\n`;
}

const frame =
  /^\s*-----BEGIN ([A-Z0-9 ]{1,40})-----[ \t]*\r?\n([A-Za-z0-9+/=\s]+)-----END ([A-Z0-9 ]{1,40})-----\s*$/;

/**
 * The DER inside exactly one PEM block with one of these labels and nothing around it (RFC 7468 §2 allows text before the
 * block; we do not: what is signed is all that was sent).
 * @throws CaError csr_malformed
 */
export function decodePem(text: string, labels: readonly string[]): Uint8Array<ArrayBuffer> {
  const match = frame.exec(text);
  if (!match) throw new CaError('csr_malformed', 'not one PEM block');
  const [, begin = '', body = '', end = ''] = match;
  if (begin !== end || !labels.includes(begin)) {
    throw new CaError('csr_malformed', `the PEM block is not a ${labels[0]}`);
  }
  const base64 = body.replace(/\s+/g, '');
  const decoded = Buffer.from(base64, 'base64');
  // Node's decoder skips what it does not know; only a canonical encoding survives the round trip.
  if (decoded.toString('base64') !== base64) throw new CaError('csr_malformed', 'the base64 is damaged');
  return decoded;
}

/** Every certificate of a bundle, one PEM text each. */
export function splitPem(bundle: string): string[] {
  const blocks = bundle.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => `${block}\n`);
}
