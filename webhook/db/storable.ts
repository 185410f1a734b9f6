/** The beginning of a text from outside, as a column can hold it. */
export function storable(text: string, maxChars: number): string {
  return text
    .slice(0, maxChars)
    .replaceAll('\0', '\uFFFD')
    .replace(/[\uD800-\uDFFF]/gu, '\uFFFD');
}
