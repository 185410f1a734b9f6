/**
 * Tells the webhook, by `beginnings.json` beside index.html, which files each page and language is made of: it names them in the
 * document that it serves, so that the browser asks for all of them at once and not for each when the one before has come.
 */
import type { Plugin } from 'vite';
import { beginnings } from './beginnings.ts';
import { languages } from './i18n/language.ts';

export function writeBeginnings(): Plugin {
  return {
    name: 'flota-beginnings',
    apply: 'build',
    generateBundle: {
      // After Vite has dropped what was nothing but styles.
      order: 'post',
      handler(_, bundle) {
        const chunks = Object.values(bundle).filter((file) => file.type === 'chunk');
        const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
        const take = (name: string, into: Set<string>): Set<string> => {
          const chunk = byName.get(name);
          if (!chunk || into.has(name)) return into;
          into.add(name);
          for (const next of chunk.imports) take(next, into);
          return into;
        };
        // These index.html names itself.
        const entry = chunks.reduce(
          (all, { isEntry, fileName }) => (isEntry ? take(fileName, all) : all),
          new Set<string>(),
        );
        const filesOf = (source: string) => {
          const chunk = chunks.find((one) => one.facadeModuleId?.endsWith(`/console/${source}`));
          if (!chunk) throw new Error(`${source} is no file of its own.`);
          return [...take(chunk.fileName, new Set())]
            .filter((name) => !entry.has(name))
            .map((name) => `/${name}`);
        };
        const written = {
          languages: Object.fromEntries(
            Object.keys(languages).map((language) => [language, filesOf(`i18n/${language}.ts`)]),
          ),
          pages: beginnings.map(({ path, page, ...one }) => ({
            path: path.source,
            files: filesOf(page),
            asks: 'asks' in one ? one.asks : [],
          })),
        };
        this.emitFile({ type: 'asset', fileName: 'beginnings.json', source: JSON.stringify(written) });
      },
    },
  };
}
