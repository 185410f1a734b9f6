import { type JSX, Show } from 'solid-js';
import type { Deployment } from '../../api.ts';
import { language, t } from '../../i18n/i18n.ts';
import { Glyph } from '../../parts/state.tsx';
import { lookOf } from '../../parts/state-tone.ts';
import { Ago } from '../../parts/time.tsx';
import { signalInWords } from './health-words.ts';

type Halt = NonNullable<Deployment['halted']>;

export const haltWords = (halt: Halt): string => t(`halt.${halt.reason}`, { n: halt.wave + 1 });

/** Of a halt that counted nothing (or was before counts were kept) the server's own words, where they are of the language. */
function figuresInWords({ figures, message }: Halt): string {
  if (!figures) return language() === 'en' ? `${message} · ` : '';
  const { measure, devices, of, percent } = figures;
  return `${t(`halt.figures.${measure}`, { n: devices, of, percent: percent ?? 0 })} · `;
}

/** Why it stopped by itself; after its end, why it had. */
export function HaltNote(props: { deployment: Deployment }): JSX.Element {
  return (
    <Show when={props.deployment.halted}>
      {(halt) => (
        <div class="problem" role="status" data-testid="halt">
          <Glyph path={lookOf('halted').glyph} />
          <p>
            <strong>{haltWords(halt())}</strong> {halt().signals?.map(signalInWords).join(', ')}{' '}
            <span class="soft">
              {figuresInWords(halt())}
              <Ago at={halt().at} />
            </span>
          </p>
        </div>
      )}
    </Show>
  );
}
