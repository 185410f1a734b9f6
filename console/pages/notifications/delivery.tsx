import { createSignal, type JSX, Show } from 'solid-js';
import { createAct } from '../../act.ts';
import { adminApi, type NotificationDelivery } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { Problem } from '../../parts/notes.tsx';
import { Fact, Facts } from '../../parts/page.tsx';
import { Sign } from '../../parts/state.tsx';
import { When } from '../../parts/time.tsx';
import { looks } from './words.ts';

export function DeliveryState(props: { delivery: NotificationDelivery }): JSX.Element {
  const look = () => looks[props.delivery.state];
  return (
    <Sign tone={look().tone} glyph={look().glyph} data-state={props.delivery.state}>
      {t(`notify.${props.delivery.state}`)}
    </Sign>
  );
}

/** What came back: the code and the beginning of the words, or why nothing did. */
export function Answer(props: { delivery: NotificationDelivery }): JSX.Element {
  return (
    <>
      <Show when={props.delivery.fault}>{(fault) => <p>{t(`notify.fault.${fault()}`)}</p>}</Show>
      <Show
        when={props.delivery.status !== null || props.delivery.answer}
        fallback={<span class="soft">{t('notify.noAnswer')}</span>}
      >
        <code>
          {props.delivery.status ?? ''} {props.delivery.answer ?? ''}
        </code>
      </Show>
    </>
  );
}

/** One delivery: what was told to whom, and what came back. */
export function DeliveryDialog(props: { delivery: NotificationDelivery; onClose: () => void }): JSX.Element {
  const [replayed, setReplayed] = createSignal(false);
  const replay = createAct(async () => {
    await adminApi.replayDelivery(props.delivery.id);
    setReplayed(true);
  });
  const data = () => JSON.stringify(props.delivery.data, null, 2);
  return (
    <Dialog wide title={t('notify.one', { id: props.delivery.id })} onClose={props.onClose}>
      {(close) => (
        <>
          <Problem error={replay.error()} />
          <Facts>
            <Fact name={t('notify.what')}>{t(`notify.event.${props.delivery.kind}`)}</Fact>
            <Fact name={t('notify.state')}>
              <DeliveryState delivery={props.delivery} />
            </Fact>
            <Fact name={t('notify.at')}>
              <When at={props.delivery.at} />
            </Fact>
            <Fact name={t('notify.target')}>
              {props.delivery.channel} <span class="soft anywhere">{props.delivery.target}</span>
            </Fact>
            <Fact name={t('notify.rule')}>{props.delivery.rule ?? '–'}</Fact>
            <Fact name={t('notify.tries')}>{props.delivery.tries}</Fact>
            <Show when={props.delivery.nextTryAt}>
              {(at) => (
                <Fact name={t('notify.nextTry')}>
                  <When at={at()} />
                </Fact>
              )}
            </Show>
            <Fact name={t('notify.answer')}>
              <Answer delivery={props.delivery} />
            </Fact>
            <Fact name={t('notify.event')}>
              <code>{props.delivery.event}</code>
            </Fact>
          </Facts>
          <section class="letter-body" tabindex="0" aria-label={t('notify.body')}>
            <p>{props.delivery.text}</p>
            <pre>
              <code>{data()}</code>
            </pre>
          </section>
          <Show when={replayed()}>
            <p role="status">{t('notify.replayed')}</p>
          </Show>
          <div class="actions">
            <button type="button" class="button" onClick={close}>
              {t('token.close')}
            </button>
            <Show when={props.delivery.channelId !== null && !replayed()}>
              <button
                type="button"
                class="button primary"
                disabled={replay.busy()}
                onClick={() => replay.run()}
              >
                {t('notify.replay')}
              </button>
            </Show>
          </div>
        </>
      )}
    </Dialog>
  );
}
