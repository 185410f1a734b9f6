import { For, type JSX, Show } from 'solid-js';
import type { DryRun, FirmwareDetails } from '../../api.ts';
import { formatBytes } from '../../format.ts';
import { language, t, tMaybe } from '../../i18n/i18n.ts';
import type { Load } from '../../load.ts';
import { Problem } from '../../parts/notes.tsx';
import type { ChoiceKind, Choices } from './choice.ts';

function Picks(props: { title: string; kind: ChoiceKind; choices: Choices }): JSX.Element {
  return (
    <section aria-label={props.title} data-testid={`summary-${props.kind}`}>
      <h3>{props.title}</h3>
      <ul class="picks">
        <For each={props.choices.choices[props.kind]} fallback={<li class="soft">{t('deploy.nothing')}</li>}>
          {(choice) => (
            <li>
              {choice.name}
              <button
                type="button"
                aria-label={t('deploy.remove', { name: choice.name })}
                onClick={() => props.choices.toggle(props.kind, choice)}
              >
                <span aria-hidden="true">×</span>
              </button>
            </li>
          )}
        </For>
      </ul>
    </section>
  );
}

/** The server's dry run of exactly this selection: who gets it, who does not and why, how much is sent. */
function Forecast(props: { empty: boolean; dryRun: Load<DryRun> }): JSX.Element {
  return (
    <div class="forecast" aria-live="polite" data-testid="forecast">
      <Show when={!props.empty} fallback={<p class="soft">{t('deploy.chooseFirst')}</p>}>
        <Problem error={props.dryRun.error} retry={props.dryRun.refetch} />
        <Show when={props.dryRun.data} fallback={<p class="soft">{t('deploy.counting')}</p>}>
          {(run) => (
            <div classList={{ counting: props.dryRun.loading }}>
              <p class="big">{t('deploy.wouldGet', { n: run().targets })}</p>
              <p class="soft">{t('deploy.egress', { bytes: formatBytes(language(), run().egressBytes) })}</p>
              <Show when={run().excluded.length > 0}>
                <details>
                  <summary>{t('deploy.excluded', { n: run().excluded.length })}</summary>
                  <ul>
                    <For each={run().excluded}>
                      {(one) => (
                        <li>
                          {one.device}{' '}
                          <span class="soft">{tMaybe(`excluded.${one.reason}`) ?? one.reason}</span>
                        </li>
                      )}
                    </For>
                  </ul>
                </details>
              </Show>
            </div>
          )}
        </Show>
      </Show>
    </div>
  );
}

export function DeploySummary(props: {
  firmware: FirmwareDetails;
  choices: Choices;
  dryRun: Load<DryRun>;
  busy: boolean;
  error: unknown;
  onRequest: () => void;
}): JSX.Element {
  const targets = () => (props.choices.isEmpty() ? 0 : (props.dryRun.data?.targets ?? 0));
  const ready = () =>
    targets() > 0 && !props.dryRun.loading && !props.dryRun.error && !props.busy && props.firmware.signed;
  return (
    <aside class="summary" aria-labelledby="summary">
      <h2 id="summary">{t('deploy.summary')}</h2>
      <section aria-label={t('deploy.target')} data-testid="summary-version">
        <h3>{t('deploy.target')}</h3>
        <p class="version">{props.firmware.version}</p>
        <p class="soft">
          {props.firmware.name} · {formatBytes(language(), props.firmware.sizeBytes)}
        </p>
      </section>
      <Picks title={t('deploy.regions')} kind="regions" choices={props.choices} />
      <Picks title={t('deploy.divisions')} kind="divisions" choices={props.choices} />
      <Picks title={t('deploy.devices')} kind="devices" choices={props.choices} />
      <Forecast empty={props.choices.isEmpty()} dryRun={props.dryRun} />
      <Show when={!props.firmware.signed}>
        <p class="wrong">{t('firmware.unsignedWhy')}</p>
      </Show>
      <Problem error={props.error} />
      <button
        type="button"
        class="button primary"
        disabled={!ready()}
        onClick={() => props.onRequest()}
        data-testid="request"
      >
        {targets() > 0 ? t('deploy.requestN', { n: targets() }) : t('deploy.request')}
      </button>
    </aside>
  );
}
