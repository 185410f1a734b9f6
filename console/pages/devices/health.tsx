import { type JSX, Show } from 'solid-js';
import type { Device } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { glyphs } from '../../parts/glyphs.ts';
import { Sign } from '../../parts/state.tsx';
import type { Tone } from '../../parts/state-tone.ts';

/** Every health that a device may report: the compiler refuses one too many or too few. */
const looks = {
  ok: { tone: 'good', glyph: glyphs.check },
  degraded: { tone: 'bad', glyph: 'M6 1.5v5M6 10h.01' },
  failing: { tone: 'bad', glyph: glyphs.cross },
} satisfies Record<NonNullable<Device['health']>, { tone: Tone; glyph: string }>;

export function HealthMark(props: { health: Device['health'] }): JSX.Element {
  return (
    <Show when={props.health} fallback={<span class="soft">{t('device.healthUnknown')}</span>}>
      {(health) => (
        <Sign tone={looks[health()].tone} glyph={looks[health()].glyph}>
          {t(`health.${health()}`)}
        </Sign>
      )}
    </Show>
  );
}
