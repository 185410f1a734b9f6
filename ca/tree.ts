/** Walking what asn1js has read: each step says what must be there, and throws when it is not. */
import * as asn1 from 'asn1js';

/** The parts of a SEQUENCE, a SET or a tagged value. */
export function partsOf(block: asn1.BaseBlock | undefined, count?: number): asn1.BaseBlock[] {
  const parts = as(asn1.Constructed, block).valueBlock.value as asn1.BaseBlock[];
  if (count !== undefined && parts.length !== count)
    throw new Error(`${parts.length} parts and not ${count}`);
  return parts;
}

/** Of a value with a context-specific tag. */
export function tagged(block: asn1.BaseBlock | undefined, number: number): asn1.BaseBlock[] {
  if (block?.idBlock.tagClass !== 3 || block.idBlock.tagNumber !== number) throw new Error(`no [${number}]`);
  return partsOf(block);
}

export function as<T extends asn1.BaseBlock>(
  type: abstract new (...args: never[]) => T,
  block: asn1.BaseBlock | undefined,
): T {
  if (!(block instanceof type)) throw new Error(`no ${type.name}`);
  return block;
}
