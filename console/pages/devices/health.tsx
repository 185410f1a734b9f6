import { type JSX, Show } from 'solid-js';
import type { Device } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { Glyph } from '../../parts/state.tsx';

/** Every health that a device may report: the compiler refuses one too many or too few. */
const looks = {
  ok: { tone: 'good', glyph: 'M1.5 6.5 4.5 9.5 10.5 2.5' },
  degraded: { tone: 'bad', glyph: 'M6 1.5v5M6 10h.01' },
  failing: { tone: 'bad', glyph: 'M2 2l8 8M10 2l-8 8' },
} satisfies Record<NonNullable<Device['health']>, { tone: string; glyph: string }>;

export function HealthMark(props: { health: Device['health'] }): JSX.Element {
  return (
    <Show when={props.health} fallback={<span class="soft">{t('device.healthUnknown')}</span>}>
      {(health) => (
        <span class={`state tone-${looks[health()].tone}`}>
          <Glyph path={looks[health()].glyph} />
          <span class="word">{t(`health.${health()}`)}</span>
        </span>
      )}
    </Show>
  );
}
