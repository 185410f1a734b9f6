import { createSignal, For, type JSX, Show } from 'solid-js';
import { createAct } from '../../act.ts';
import { api, type ImportReport } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { describeFields } from '../../parts/error-text.ts';
import { glyphs } from '../../parts/glyphs.ts';
import { Problem } from '../../parts/notes.tsx';
import { Sign } from '../../parts/state.tsx';

const shownLines = 500;
const shownRefusals = 10;
const shownPlaces = 20;
const looks = {
  created: { tone: 'good', glyph: 'M6 2v8M2 6h8' },
  updated: { tone: 'good', glyph: 'M1.5 6h8M6.5 3l3 3-3 3' },
  refused: { tone: 'bad', glyph: glyphs.cross },
} as const;

type Refusal = { message: string; count: number; first: number };

/** What is wrong with many lines is told once, with how many it is; the commonest first. */
function refusalsOf(report: ImportReport): Refusal[] {
  const found = new Map<string, Refusal>();
  for (const { outcome, problems, line } of report.lines) {
    if (outcome !== 'refused') continue;
    const message = describeFields(problems ?? []);
    const known = found.get(message);
    if (known) known.count += 1;
    else found.set(message, { message, count: 1, first: line });
  }
  return [...found.values()].filter(({ count }) => count > 1).sort((a, b) => b.count - a.count);
}

/** Line by line what became, or would become, of a file; what was refused comes first. */
function Report(props: { report: ImportReport }): JSX.Element {
  const lines = () =>
    [...props.report.lines].sort((a, b) => Number(b.outcome === 'refused') - Number(a.outcome === 'refused'));
  return (
    <div data-testid="import-report">
      <p role="status">
        {t(props.report.dryRun ? 'import.would' : 'import.did', {
          created: props.report.created,
          updated: props.report.updated,
          refused: props.report.refused,
        })}
      </p>
      <Show when={refusalsOf(props.report).length > 0}>
        <ul data-testid="import-refusals">
          <For each={refusalsOf(props.report).slice(0, shownRefusals)}>
            {(refusal) => (
              <li>
                {t('import.alike', { n: refusal.count, message: refusal.message, line: refusal.first })}
              </li>
            )}
          </For>
        </ul>
      </Show>
      <section class="report" tabindex="0" aria-label={t('import.report')}>
        <table>
          <tbody>
            <For each={lines().slice(0, shownLines)}>
              {(line) => (
                <tr>
                  <td class="tight soft">{t('import.line', { n: line.line })}</td>
                  <td>
                    <code>{line.id || '–'}</code>
                  </td>
                  <td>
                    <Sign tone={looks[line.outcome].tone} glyph={looks[line.outcome].glyph}>
                      {t(`import.${line.outcome}`)}
                    </Sign>
                    <Show when={line.problems}>
                      {(problems) => <p class="small soft">{describeFields(problems())}</p>}
                    </Show>
                  </td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
        <Show when={lines().length > shownLines}>
          <p class="hint">{t('import.more', { n: lines().length - shownLines })}</p>
        </Show>
      </section>
    </div>
  );
}

type Missing = ImportReport['missing'];

/** "North, South" or "North, South and 12 more"; empty when none is missing. */
function missingInWords({ regions, divisions }: Missing): string {
  const names = [...regions, ...divisions].map(({ name }) => name);
  const shown = names.slice(0, shownPlaces).join(', ');
  return names.length > shownPlaces
    ? `${shown} ${t('deploy.others', { n: names.length - shownPlaces })}`
    : shown;
}

/** A CSV file is first tried without writing anything; only then is it brought in. */
export function ImportDialog(props: { onClose: () => void }): JSX.Element {
  const [csv, setCsv] = createSignal('');
  const [update, setUpdate] = createSignal(false);
  const [makePlaces, setMakePlaces] = createSignal(false);
  const [report, setReport] = createSignal<ImportReport>();
  const run = async (dryRun: boolean) =>
    setReport(
      await api.importDevices(csv(), {
        update: String(update()),
        dryRun: String(dryRun),
        makePlaces: String(makePlaces()),
      }),
    );
  const attempt = createAct(() => run(true));
  const bringIn = createAct(() => run(false));
  const good = () => (report() ? report()!.created + report()!.updated : 0);
  const done = () => report()?.dryRun === false;

  const choose = async (input: HTMLInputElement) => {
    const file = input.files?.[0];
    input.value = '';
    if (!file) return;
    setReport(undefined);
    setCsv(await file.text());
    await attempt.run();
  };

  return (
    <Dialog wide title={t('import.title')} onClose={props.onClose}>
      {(close) => (
        <>
          <p class="soft">{t('import.lead')}</p>
          <p class="code small sample">id,hardware,name,region,division,tags</p>
          <Problem error={attempt.error() ?? bringIn.error()} />
          <Show when={!done()}>
            <label class="check">
              <input
                type="checkbox"
                checked={update()}
                onChange={(event) => {
                  setUpdate(event.currentTarget.checked);
                  if (csv()) void attempt.run();
                }}
              />
              {t('import.update')}
            </label>
            <Show when={report() && missingInWords(report()!.missing)}>
              {(names) => (
                <label class="check" data-testid="make-places">
                  <input
                    type="checkbox"
                    checked={makePlaces()}
                    onChange={(event) => {
                      setMakePlaces(event.currentTarget.checked);
                      void attempt.run();
                    }}
                  />
                  {t('import.makePlaces', { names: names() })}
                </label>
              )}
            </Show>
            <p>
              <label class="link">
                {report() ? t('import.other') : t('import.choose')}
                <input
                  type="file"
                  accept=".csv,text/csv"
                  class="unseen"
                  data-testid="csv"
                  onChange={(event) => choose(event.currentTarget)}
                />
              </label>
            </p>
          </Show>
          <Show when={report()}>{(outcome) => <Report report={outcome()} />}</Show>
          <div class="actions">
            <button type="button" class="button" onClick={close}>
              {done() ? t('token.close') : t('common.cancel')}
            </button>
            <Show when={!done()}>
              <button
                type="button"
                class="button primary"
                disabled={good() === 0 || attempt.busy() || bringIn.busy()}
                onClick={() => bringIn.run()}
              >
                {t('import.submit', { n: good() })}
              </button>
            </Show>
          </div>
        </>
      )}
    </Dialog>
  );
}
