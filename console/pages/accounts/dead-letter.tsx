import { createSignal, type JSX, Show } from 'solid-js';
import { createAct } from '../../act.ts';
import { adminApi, type DeadLetterWhole, type Replayed } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { glyphs } from '../../parts/glyphs.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Problem } from '../../parts/notes.tsx';
import { Fact, Facts } from '../../parts/page.tsx';
import { Glyph } from '../../parts/state.tsx';
import { When } from '../../parts/time.tsx';
import { readable } from './letter-body.ts';
import { codeWord } from './letter-words.ts';

function Outcome(props: { replayed: Replayed }): JSX.Element {
  const good = () => props.replayed.outcome === 'handled';
  return (
    <p class={`state tone-${good() ? 'good' : 'bad'}`} role="status" data-testid="outcome">
      <Glyph path={good() ? glyphs.check : glyphs.cross} />
      <span class="word">
        {good()
          ? t('letters.handled')
          : t('letters.refused', {
              why: codeWord(props.replayed.code ?? ''),
              detail: props.replayed.detail ?? '',
            })}
      </span>
    </p>
  );
}

function Content(props: { letter: DeadLetterWhole }): JSX.Element {
  return (
    <>
      <Facts>
        <Fact name={t('letters.what')}>
          {codeWord(props.letter.code)} <span class="soft">{props.letter.detail}</span>
        </Fact>
        <Fact name={t('letters.from')}>{props.letter.clientId ?? '–'}</Fact>
        <Fact name={t('letters.topic')}>
          <code>{props.letter.topic ?? '–'}</code>
        </Fact>
        <Fact name={t('letters.at')}>
          <When at={props.letter.receivedAt} />
        </Fact>
      </Facts>
      <section class="letter-body" tabindex="0" aria-label={t('letters.body')}>
        <pre>
          <code>{readable(props.letter.body)}</code>
        </pre>
      </section>
    </>
  );
}

/** One dead letter: what it was, and what can be done with it. Deleting asks once, in its place. */
export function Letter(props: { id: number; onClose: () => void }): JSX.Element {
  const [replayed, setReplayed] = createSignal<Replayed>();
  const [sure, setSure] = createSignal(false);
  const load = createLoad(
    () => props.id,
    (id, signal) => adminApi.getDeadLetter(id, signal),
  );
  const replay = createAct(async () => setReplayed(await adminApi.replayDeadLetter(props.id)));
  const remove = createAct(async (close: () => void) => {
    await adminApi.deleteDeadLetter(props.id);
    close();
  });
  return (
    <Dialog wide title={t('letters.one', { id: props.id })} onClose={props.onClose}>
      {(close) => (
        <>
          <Problem error={replay.error() ?? remove.error()} />
          <Loaded load={load}>{(letter) => <Content letter={letter()} />}</Loaded>
          <Show when={replayed()}>{(outcome) => <Outcome replayed={outcome()} />}</Show>
          <Show when={sure()}>
            <p role="alert">{t('letters.deleteWhat')}</p>
          </Show>
          <div class="actions">
            <button type="button" class="button" onClick={close}>
              {t('token.close')}
            </button>
            <Show when={load.data && !replayed()}>
              <Allowed to="admin">
                <Show
                  when={sure()}
                  fallback={
                    <>
                      <button type="button" class="button danger" onClick={() => setSure(true)}>
                        {t('letters.delete')}
                      </button>
                      <button
                        type="button"
                        class="button primary"
                        disabled={replay.busy()}
                        onClick={() => replay.run()}
                      >
                        {t('letters.replay')}
                      </button>
                    </>
                  }
                >
                  <button
                    type="button"
                    class="button danger"
                    disabled={remove.busy()}
                    onClick={() => remove.run(close)}
                  >
                    {t('letters.deleteSure')}
                  </button>
                </Show>
              </Allowed>
            </Show>
          </div>
        </>
      )}
    </Dialog>
  );
}
