import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { CaError } from './client.ts';
import { oids } from './oids.ts';
import { addressText, parseSubjectName, type SubjectName } from './subject-names.ts';

export interface RequestedExtensions {
  names: SubjectName[];
  /** Object identifiers of the extended key usages that were asked for. */
  purposes: string[];
}

/**
 * What a CSR asks for in its extensionRequest attribute (RFC 2985 §5.4.2). The profile decides what a certificate says, so
 * anything that it could not grant is refused here instead of being dropped in silence.
 * @throws CaError csr_malformed | csr_extension_refused | csr_name_refused
 */
export function readExtensions(attributes: readonly pkijs.Attribute[]): RequestedExtensions {
  const requests = attributes.filter((attribute) => attribute.type === oids.extensionRequest);
  if (requests.length === 0) return { names: [], purposes: [] };
  const values = requests[0]?.values ?? [];
  if (requests.length > 1 || values.length !== 1) {
    throw new CaError('csr_malformed', 'the CSR has more than one set of extensions');
  }
  const { extensions } = parseAs('extensions', () => new pkijs.Extensions({ schema: values[0] }));
  const asked: RequestedExtensions = { names: [], purposes: [] };
  const seen = new Set<string>();
  for (const extension of extensions) {
    // RFC 5280 §4.2: at most one instance of each.
    if (seen.has(extension.extnID)) throw new CaError('csr_malformed', 'an extension is there twice');
    seen.add(extension.extnID);
    readExtension(extension, asked);
  }
  return asked;
}

function readExtension(extension: pkijs.Extension, asked: RequestedExtensions): void {
  const value = parseAs('an extension', () => {
    const { result, offset } = asn1.fromBER(
      extension.extnValue.valueBlock.valueHexView as Uint8Array<ArrayBuffer>,
    );
    if (offset !== extension.extnValue.valueBlock.valueHexView.length) throw new Error('trailing bytes');
    return result;
  });
  switch (extension.extnID) {
    case oids.subjectAltName:
      asked.names = readNames(value);
      return;
    case oids.extKeyUsage:
      asked.purposes = parseAs('extKeyUsage', () => new pkijs.ExtKeyUsage({ schema: value })).keyPurposes;
      return;
    case oids.basicConstraints:
      if (parseAs('basicConstraints', () => new pkijs.BasicConstraints({ schema: value })).cA) {
        throw new CaError('csr_extension_refused', 'no CSR becomes a CA here');
      }
      return;
    case oids.keyUsage:
      refuseCaUsage(value);
      return;
    case oids.subjectKeyIdentifier:
      return;
    default:
      throw new CaError('csr_extension_refused', `the extension ${extension.extnID} cannot be asked for`);
  }
}

function refuseCaUsage(value: asn1.BaseBlock): void {
  if (!(value instanceof asn1.BitString)) throw new CaError('csr_malformed', 'keyUsage cannot be read');
  const byte = value.valueBlock.valueHexView[0] ?? 0;
  // keyCertSign and cRLSign (RFC 5280 §4.2.1.3).
  if ((byte & 0x06) !== 0)
    throw new CaError('csr_extension_refused', 'a leaf signs no certificates and no CRLs');
}

function readNames(value: asn1.BaseBlock): SubjectName[] {
  const { names } = parseAs('subjectAltName', () => new pkijs.GeneralNames({ schema: value }));
  return names.map((name): SubjectName => {
    if (name.type === 2) return readName('dns', String(name.value));
    if (name.type === 7) {
      const bytes = (name.value as asn1.OctetString).valueBlock.valueHexView;
      if (bytes.length === 4 || bytes.length === 16) return readName('ip', addressText(bytes));
    }
    throw new CaError('csr_name_refused', 'a SAN must be a DNS name or an IP address');
  });
}

function readName(kind: SubjectName['kind'], text: string): SubjectName {
  try {
    const name = parseSubjectName(text);
    if (name.kind === kind) return name;
  } catch {
    // Refused below, like an address that poses as a DNS name.
  }
  throw new CaError('csr_name_refused', 'a SAN is not a valid name');
}

function parseAs<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new CaError('csr_malformed', `${what} of the CSR cannot be read`, { cause });
  }
}
