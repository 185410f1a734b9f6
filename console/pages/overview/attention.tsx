import { A } from '@solidjs/router';
import { For, type JSX, Show } from 'solid-js';
import type { Broker, Overview } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import { glyphs } from '../../parts/glyphs.ts';
import { Glyph } from '../../parts/state.tsx';
import { type Matter, mattersOf } from './matters.ts';

const shapes = {
  bad: glyphs.warning,
  soon: 'M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M6 3.5V6l2 1.5',
};

function Line(props: { matter: Matter }): JSX.Element {
  return (
    <li class={`tone-${props.matter.tone === 'bad' ? 'bad' : 'waiting'}`}>
      <Glyph path={shapes[props.matter.tone]} />
      <span class="unseen">{t(`matter.tone.${props.matter.tone}`)}</span>
      <A class={`matter matter-${props.matter.tone}`} href={props.matter.href}>
        {props.matter.text}
      </A>
      <Show when={props.matter.why}>
        <span class="soft small">{props.matter.why}</span>
      </Show>
    </li>
  );
}

export function Attention(props: { overview: Overview; broker: Broker | undefined }): JSX.Element {
  const matters = () => mattersOf(props.overview, props.broker);
  return (
    <Show
      when={matters().length > 0}
      fallback={
        <p class="all-well state tone-good" data-testid="all-well">
          <Glyph path={glyphs.check} />
          <span class="word">{t('overview.allWell')}</span>
        </p>
      }
    >
      <ul class="matters" data-testid="matters">
        <For each={matters().map((one) => one.key)}>
          {(key) => (
            <Show when={matters().find((one) => one.key === key)}>
              {(matter) => <Line matter={matter()} />}
            </Show>
          )}
        </For>
      </ul>
    </Show>
  );
}
