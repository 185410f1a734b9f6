import * as asn1 from 'asn1js';
import { CaError } from './client.ts';

/** PKCS#10 needs a fraction of that; what is more could exhaust the stack of a recursive parser. */
const limits = { maxDepth: 24, maxNodes: 2_000 };

/**
 * Parses DER, and refuses what is BER but not DER: of each value there is one encoding only, so what is read is all that was signed.
 * @throws CaError csr_malformed
 */
export function parseDer(bytes: Uint8Array<ArrayBuffer>): asn1.AsnType {
  try {
    const { result, offset } = asn1.fromBER(bytes, limits);
    if (offset === -1) throw malformed(result.error || 'it cannot be read');
    if (offset !== bytes.length) throw malformed('bytes follow its end');
    toShortestForm(result);
    if (!Buffer.from(result.toBER()).equals(bytes)) throw malformed('it is not in its only encoding');
    return result;
  } catch (cause) {
    // The parser throws at some values.
    throw cause instanceof CaError ? cause : malformed('a value cannot be read', cause);
  }
}

/** X.690 §10.1, §10.2: definite and shortest lengths, no strings in pieces; and no high tag numbers, which nothing here has. */
function toShortestForm(block: asn1.BaseBlock): void {
  const { idBlock, lenBlock } = block;
  if (idBlock.tagNumber > 30) throw malformed('it has a high tag number');
  lenBlock.isIndefiniteForm = false;
  lenBlock.longFormUsed = false;
  if (block instanceof asn1.Constructed)
    for (const child of block.valueBlock.value as asn1.BaseBlock[]) toShortestForm(child);
  else if (idBlock.isConstructed) throw malformed('it has a string in pieces');
}

function malformed(why: string, cause?: unknown): CaError {
  return new CaError('csr_malformed', `not DER: ${why}`, { cause });
}
