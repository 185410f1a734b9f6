/** What is about to be signed, read back from its bytes: one pass of the parser, and each part where RFC 5280 §4.1 has it. */
import * as asn1 from 'asn1js';
import { as, partsOf, tagged } from './tree.ts';

export interface Tbs {
  /** As encoded: 2 is version 3. */
  version: number;
  /** With the zero octet that keeps it positive. */
  serial: Uint8Array;
  /** DER, as `issuer`, `subject` and `publicKey`. */
  algorithm: Uint8Array;
  issuer: Uint8Array;
  notBefore: Date;
  notAfter: Date;
  /** By RDN: the type and its text; of one with several parts, all of them. */
  subject: { type: string; text: string }[][];
  publicKey: Uint8Array;
  /** Those of the key within. */
  keyBits: Uint8Array;
  extensions: TbsExtension[];
}

export interface TbsExtension {
  id: string;
  critical: boolean;
  /** DER. */
  bytes: Uint8Array;
  value: asn1.BaseBlock;
}

/** Throws when it is anything else than that, or bytes follow. */
export function readTbs(bytes: Uint8Array<ArrayBuffer>): Tbs {
  const { result, offset } = asn1.fromBER(bytes);
  if (offset !== bytes.length) throw new Error(result.error || 'bytes follow its end');
  const parts = partsOf(result, 8);
  const [version] = tagged(parts[0], 0);
  const [notBefore, notAfter] = partsOf(parts[4], 2);
  const [extensions] = tagged(parts[7], 3);
  return {
    version: as(asn1.Integer, version).valueBlock.valueDec,
    serial: as(asn1.Integer, parts[1]).valueBlock.valueHexView,
    algorithm: parts[2]!.valueBeforeDecodeView,
    issuer: parts[3]!.valueBeforeDecodeView,
    notBefore: as(asn1.UTCTime, notBefore).toDate(),
    notAfter: as(asn1.UTCTime, notAfter).toDate(),
    subject: partsOf(parts[5]).map((rdn) => partsOf(rdn).map(readAttribute)),
    publicKey: parts[6]!.valueBeforeDecodeView,
    keyBits: as(asn1.BitString, partsOf(parts[6], 2)[1]).valueBlock.valueHexView,
    extensions: partsOf(extensions).map(readExtension),
  };
}

function readAttribute(block: asn1.BaseBlock): Tbs['subject'][number][number] {
  const [type, text] = partsOf(block, 2);
  if (!(text instanceof asn1.Utf8String || text instanceof asn1.PrintableString))
    throw new Error('a name that is no text');
  return { type: as(asn1.ObjectIdentifier, type).getValue(), text: text.getValue() };
}

function readExtension(block: asn1.BaseBlock): TbsExtension {
  const [id, ...rest] = partsOf(block);
  // DER leaves FALSE out.
  const critical = rest.length === 2 && as(asn1.Boolean, rest.shift()).getValue();
  const value = as(asn1.OctetString, rest.pop());
  if (rest.length > 0) throw new Error('an extension of too many parts');
  const bytes = value.valueBlock.valueHexView as Uint8Array<ArrayBuffer>;
  // The parser has looked into it already.
  const [inner] = value.valueBlock.value as asn1.BaseBlock[];
  if (inner?.valueBeforeDecodeView.length !== bytes.length)
    throw new Error('an extension that cannot be read');
  return { id: as(asn1.ObjectIdentifier, id).getValue(), critical, bytes, value: inner };
}
