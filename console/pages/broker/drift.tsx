import { For, type JSX, Match, Show, Switch } from 'solid-js';
import type { BrokerHere } from '../../admin-api.ts';
import { type MessageKey, t } from '../../i18n/i18n.ts';
import { glyphs } from '../../parts/glyphs.ts';
import { Glyph } from '../../parts/state.tsx';

type Change = NonNullable<BrokerHere['drift']>[number];
const shapes: Record<Change['does'], string> = {
  create: 'M6 2v8M2 6h8',
  remove: 'M2 6h8',
  update: 'M1.5 7.5c1.5-4 3.5 3 5 0s2.5-1 4-3',
  foreign: 'M4 4a2 2 0 1 1 2.6 2.2c-.5.3-.6.7-.6 1.3M6 10h.01',
};

function Value(props: { text: string | null; of: MessageKey }): JSX.Element {
  return (
    <div class="difference-side">
      <dt>{t(props.of)}</dt>
      <dd>
        <Show when={props.text !== null} fallback={<span class="soft">{t('broker.notThere')}</span>}>
          <code>{props.text}</code>
        </Show>
      </dd>
    </div>
  );
}

function Line(props: { change: Change }): JSX.Element {
  return (
    <li>
      <p>
        <span class="state tone-moving">
          <Glyph path={shapes[props.change.does]} />
          <strong class="word">
            {t(`broker.kind.${props.change.kind}`)} {props.change.id}
          </strong>
        </span>{' '}
        <span class="soft">{t(`broker.drift.${props.change.does}`)}</span>
      </p>
      <For each={props.change.differences}>
        {(difference) => (
          <div class="difference">
            <code>{difference.path}</code>
            <dl>
              <Value text={difference.file} of="broker.inFile" />
              <Value text={difference.broker} of="broker.onBroker" />
            </dl>
          </div>
        )}
      </For>
    </li>
  );
}

/** What `npm run emqx -- plan` shows. */
export function Drift(props: { drift: Change[] | null }): JSX.Element {
  return (
    <section aria-labelledby="drift">
      <h2 id="drift">{t('broker.drift')}</h2>
      <Switch>
        <Match when={props.drift === null}>
          <p class="prose soft">{t('broker.noFiles')}</p>
        </Match>
        <Match when={props.drift?.length === 0}>
          <p class="prose state tone-good" data-testid="no-drift">
            <Glyph path={glyphs.check} />
            <span class="word">{t('broker.noDrift')}</span>
          </p>
        </Match>
        <Match when={props.drift}>
          {(drift) => (
            <>
              <ul class="drift" data-testid="drift">
                <For each={drift()}>{(change) => <Line change={change} />}</For>
              </ul>
              <p class="small soft prose">
                {t('broker.driftHow')} <code>npm run emqx -- apply</code>, <code>npm run emqx -- pull</code>
              </p>
            </>
          )}
        </Match>
      </Switch>
    </section>
  );
}
