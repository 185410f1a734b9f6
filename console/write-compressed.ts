/**
 * Beside each file that is worth it the same in brotli and gzip, which the webhook serves as they are: packed once and as small as can be,
 * instead of in haste for each browser. Brotli is what browsers ask for over HTTPS.
 */
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Plugin } from 'vite';

const packers: Record<string, (content: Buffer) => Promise<Buffer>> = {
  br: (content) =>
    promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
  gz: (content) => promisify(gzip)(content, { level: constants.Z_BEST_COMPRESSION }),
};
/** What is smaller fits into one packet anyway. */
const leastBytes = 1_024;

export function writeCompressed(): Plugin {
  return {
    name: 'flota-compressed',
    apply: 'build',
    generateBundle: {
      // After the last change of any file.
      order: 'post',
      async handler(_, bundle) {
        const files = Object.values(bundle).filter(({ fileName }) =>
          /^assets\/.*\.(js|css|svg)$/.test(fileName),
        );
        await Promise.all(
          files.flatMap((file) => {
            const content = Buffer.from(file.type === 'chunk' ? file.code : file.source);
            if (content.length < leastBytes) return [];
            return Object.entries(packers).map(async ([ending, pack]) => {
              const source = await pack(content);
              this.emitFile({ type: 'asset', fileName: `${file.fileName}.${ending}`, source });
            });
          }),
        );
      },
    },
  };
}
