import { For, type JSX, Show } from 'solid-js';
import type { DryRun, FirmwareDetails, Policy, Selection } from '../../api.ts';
import { formatBytes } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import type { Load } from '../../load.ts';
import { everyInWords, isChild } from '../../parts/hardware-words.ts';
import { Problem } from '../../parts/notes.tsx';
import {
  deferralInWords,
  gateTimeoutInWords,
  joinersInWords,
  windowInWords,
} from '../../parts/window-words.ts';
import type { ChoiceKind, Choices } from './choice.ts';
import { Forecast, ForecastDetails } from './forecast.tsx';
import { listOfLeftOut } from './left-out.ts';

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

function Limits(props: { policy: Policy }): JSX.Element {
  return (
    <section aria-label={t('deploy.plan')} data-testid="summary-plan">
      <h3>{t('deploy.plan')}</h3>
      <p class="soft">
        {t('plan.window')}: {windowInWords(props.policy.window)}
      </p>
      <p class="soft">
        {t('plan.lateJoinersDays')}: {joinersInWords(props.policy.lateJoinersMs ?? null)}
      </p>
      <p class="soft">
        {t('plan.gateTimeoutHours')}: {gateTimeoutInWords(props.policy.gateTimeoutMs ?? null)}
      </p>
      <p class="soft">
        {t('plan.deferralHours')}: {deferralInWords(props.policy)}
      </p>
    </section>
  );
}

export function DeploySummary(props: {
  firmware: FirmwareDetails;
  choices: Choices;
  /** Null while something is missing or wrong. */
  wanted: Selection | null;
  /** Of a policy that is kept under it. */
  policyName?: string | undefined;
  dryRun: Load<DryRun>;
  counting: boolean;
  busy: boolean;
  error: unknown;
  onRequest: (selection: Selection) => void;
}): JSX.Element {
  const targets = () => (props.wanted ? (props.dryRun.data?.targets ?? 0) : 0);
  const ready = () =>
    targets() > 0 && !props.counting && !props.dryRun.error && !props.busy && props.firmware.signed;
  return (
    <aside class="summary" aria-labelledby="summary">
      <h2 id="summary">{t('deploy.summary')}</h2>
      <section aria-label={t('deploy.target')} data-testid="summary-version">
        <h3>{t('deploy.target')}</h3>
        <p class="version">{props.firmware.version}</p>
        <p class="soft">
          {props.firmware.name} · {formatBytes(language(), props.firmware.sizeBytes)}
          <Show when={isChild(props.firmware)}>
            {' '}
            · {t('deploy.component', { component: props.firmware.component })}
          </Show>
        </p>
      </section>
      <Show when={props.choices.every()}>
        <section aria-label={t('deploy.everyTitle')} data-testid="summary-every">
          <h3>{t('deploy.everyTitle')}</h3>
          <p>{everyInWords(props.firmware)}</p>
        </section>
      </Show>
      <Picks title={t('deploy.regions')} kind="regions" choices={props.choices} />
      <Picks title={t('deploy.divisions')} kind="divisions" choices={props.choices} />
      <Picks title={t('deploy.devices')} kind="devices" choices={props.choices} />
      <Show when={props.choices.query().text}>
        {(text) => (
          <section aria-label={t('deploy.query')} data-testid="summary-query">
            <h3>{t('deploy.query')}</h3>
            <p>{props.choices.query().group ?? <code>{text()}</code>}</p>
          </section>
        )}
      </Show>
      <Show
        when={props.policyName}
        fallback={<Show when={props.wanted?.policy}>{(policy) => <Limits policy={policy()} />}</Show>}
      >
        {(name) => (
          <section aria-label={t('deploy.plan')} data-testid="summary-plan">
            <h3>{t('deploy.plan')}</h3>
            <p>{name()}</p>
          </section>
        )}
      </Show>
      <div class="forecast" aria-live="polite" data-testid="forecast">
        <Show
          when={props.wanted}
          fallback={
            <p class="soft">{props.choices.isEmpty() ? t('deploy.chooseFirst') : t('deploy.mendFirst')}</p>
          }
        >
          <Problem error={props.dryRun.error} retry={props.dryRun.refetch} />
          <Show when={props.dryRun.data} fallback={<p class="soft">{t('deploy.counting')}</p>}>
            {(run) => (
              <div classList={{ counting: props.counting }}>
                <Forecast run={run()} startAt={props.wanted?.startAt} />
              </div>
            )}
          </Show>
        </Show>
      </div>
      <Show when={!props.firmware.signed}>
        <p class="wrong">{t('firmware.unsignedWhy')}</p>
      </Show>
      <Problem error={props.error} />
      <button
        type="button"
        class="button primary"
        disabled={!ready()}
        onClick={() => props.wanted && props.onRequest(props.wanted)}
        data-testid="request"
      >
        {targets() > 0 ? t('deploy.requestN', { n: targets() }) : t('deploy.request')}
      </button>
      {/* After the button: many stops of the keyboard for who only wants to send it. */}
      <Show when={props.wanted && props.dryRun.data}>
        {(run) => (
          <div class="forecast-details" classList={{ counting: props.counting }}>
            <ForecastDetails
              run={run()}
              listOf={(reason) => listOfLeftOut(reason, props.firmware, props.wanted!)}
            />
          </div>
        )}
      </Show>
    </aside>
  );
}
