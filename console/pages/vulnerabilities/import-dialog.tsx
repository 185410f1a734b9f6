import { createSignal, type JSX, Show } from 'solid-js';
import { createAct } from '../../act.ts';
import { t } from '../../i18n/i18n.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { Problem } from '../../parts/notes.tsx';
import { type Imported, vulnerabilityApi } from '../../vulnerability-api.ts';

/** Not every browser's streams can be walked through as they are. */
async function* piecesOf(file: File): AsyncGenerator<Uint8Array> {
  const step = 1024 * 1024;
  for (let at = 0; at < file.size; at += step)
    yield new Uint8Array(await file.slice(at, at + step).arrayBuffer());
}

/** A feed is read here and sent in pieces, so its size does not matter; what was sent before a fault stays. */
export function ImportDialog(props: { onClose: () => void }): JSX.Element {
  const [sum, setSum] = createSignal<Imported>();
  const total = () => (sum() ? sum()!.imported + sum()!.unchanged + sum()!.withdrawn : 0);
  const bringIn = createAct(async (file: File) => {
    // With what unpacks ZIP files, which few need.
    const { readFeed } = await import('#webhook/vulnerabilities/feed-file.ts');
    let all: Imported = { imported: 0, unchanged: 0, withdrawn: 0 };
    setSum(all);
    for await (const advisories of readFeed(piecesOf(file))) {
      const done = await vulnerabilityApi.importFeed(advisories);
      all = {
        imported: all.imported + done.imported,
        unchanged: all.unchanged + done.unchanged,
        withdrawn: all.withdrawn + done.withdrawn,
      };
      setSum(all);
    }
  });
  return (
    <Dialog title={t('vuln.import')} onClose={props.onClose}>
      {(close) => (
        <>
          <p class="soft">{t('vuln.importLead')}</p>
          <Problem error={bringIn.error()} />
          <div class="field">
            <label for="feed-file">{t('vuln.file')}</label>
            <input
              id="feed-file"
              type="file"
              class="input"
              accept=".json,.jsonl,.ndjson,.zip"
              disabled={bringIn.busy()}
              onChange={(event) => {
                const file = event.currentTarget.files?.[0];
                if (file) void bringIn.run(file);
              }}
            />
          </div>
          <p role="status" data-testid="imported">
            <Show when={sum()}>
              <Show when={bringIn.busy()} fallback={t('vuln.imported', sum()!)}>
                {t('vuln.importing', { n: total() })}
              </Show>
            </Show>
          </p>
          <div class="actions">
            <button type="button" class="button" onClick={close}>
              {t('token.close')}
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}
