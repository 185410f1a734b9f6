import { A } from '@solidjs/router';
import { For, type JSX, Show } from 'solid-js';
import type { DryRun } from '../../api.ts';
import { formatBytes, formatDateTime, formatDuration, formatMoney } from '../../format.ts';
import { language, t, tMaybe } from '../../i18n/i18n.ts';
import { signalInWords } from '../deployments/health-words.ts';

/** At most so many names of each list are drawn; the dry run itself names a thousand. */
const shownNames = 200;

type Reason = DryRun['excluded'][number]['reason'];

function Names(props: {
  title: string;
  total: number;
  names: readonly JSX.Element[];
  all?: string | null;
  testId?: string;
}) {
  return (
    <details data-testid={props.testId}>
      <summary>{props.title}</summary>
      <ul>
        <For each={props.names.slice(0, shownNames)}>{(name) => <li>{name}</li>}</For>
        <Show when={props.total > Math.min(props.names.length, shownNames)}>
          <li class="soft">
            {t('deploy.others', { n: props.total - Math.min(props.names.length, shownNames) })}
          </li>
        </Show>
        <Show when={props.all}>
          {(href) => (
            <li>
              <A href={href()}>{t('deploy.excludedList')}</A>
            </li>
          )}
        </Show>
      </ul>
    </details>
  );
}

/** What patches and compressed images would save, in bytes and in money. */
function Patches(props: { run: DryRun }): JSX.Element {
  const patches = () => props.run.patches;
  const helped = () => patches().devices + patches().compressed;
  return (
    <>
      <Show when={helped() + patches().making > 0}>
        <p class="soft" data-testid="forecast-patches">
          {helped() > 0
            ? t('deploy.byPatch', {
                n: patches().devices,
                compressed: patches().compressed,
                bytes: formatBytes(language(), patches().egressBytes),
              })
            : t('deploy.patchMaking')}
        </p>
      </Show>
      <Show when={patches().unsigned > 0}>
        <p class="soft" data-testid="forecast-patches-unsigned">
          {t('deploy.patchUnsigned', { n: patches().unsigned })}
        </p>
      </Show>
      <Show when={props.run.cost}>
        {(cost) => (
          <p class="soft" data-testid="forecast-cost">
            {helped() > 0
              ? t('deploy.costSaved', {
                  whole: formatMoney(language(), cost().whole, cost().currency),
                  withPatches: formatMoney(language(), cost().withPatches, cost().currency),
                })
              : t('deploy.cost', { whole: formatMoney(language(), cost().whole, cost().currency) })}
          </p>
        )}
      </Show>
    </>
  );
}

/** The server's dry run of exactly this deployment: who gets it and when, who does not and why, how much and how long. */
export function Forecast(props: {
  run: DryRun;
  startAt: string | undefined;
  /** It is there, and waits for approval already. */
  waits?: boolean;
}): JSX.Element {
  const allOnline = () => props.run.presence.online === props.run.targets;
  return (
    <>
      <p class="big">{t('deploy.wouldGet', { n: props.run.targets })}</p>
      <Show when={props.run.approval && !props.waits}>
        <p data-testid="forecast-approval">{t('approval.will')}</p>
      </Show>
      <p class="soft">
        {t('deploy.egress', { bytes: formatBytes(language(), props.run.egressBytes) })} ·{' '}
        <Show when={props.run.expectedMs !== null} fallback={t('deploy.noMeasure')}>
          {t(allOnline() ? 'deploy.expected' : 'deploy.expectedOnline', {
            duration: formatDuration(language(), props.run.expectedMs!),
          })}
        </Show>
      </p>
      <Patches run={props.run} />
      <p class="soft" data-testid="forecast-presence">
        {t('deploy.presence', props.run.presence)}
      </p>
      <Show when={props.startAt || !props.run.frozenUntil}>
        <p class="soft">
          {props.startAt
            ? t('deploy.startsAt', { at: formatDateTime(language(), props.startAt) })
            : t(
                props.run.windows.some(({ opensAt }) => opensAt)
                  ? 'deploy.startsInWindow'
                  : 'deploy.startsNow',
              )}
        </p>
      </Show>
      <Show when={props.run.frozenUntil}>
        {(at) => (
          <p class="wrong" data-testid="forecast-frozen">
            {t('deploy.frozen', { at: formatDateTime(language(), at()) })}
          </p>
        )}
      </Show>
      <For each={props.run.freezes}>
        {({ name, startsAt, endsAt }) => (
          <p class="soft" data-testid="forecast-freeze">
            {t('deploy.freezeAhead', {
              name,
              from: formatDateTime(language(), startsAt),
              to: formatDateTime(language(), endsAt),
            })}
          </p>
        )}
      </For>
      <For each={props.run.windows}>
        {({ timeZone: zone, devices, opensAt }) => (
          <p class="soft" data-testid="forecast-window">
            {opensAt
              ? t('deploy.zoneOpens', {
                  zone,
                  devices: t('common.devices', { n: devices }),
                  at: formatDateTime(language(), opensAt),
                })
              : t('deploy.zoneOpen', { zone, devices: t('common.devices', { n: devices }) })}
          </p>
        )}
      </For>
      <Show when={props.run.health}>
        {(gate) => (
          <div data-testid="forecast-health">
            <p class="soft">{t('deploy.control', { devices: t('common.devices', { n: gate().control }) })}</p>
            <For each={gate().needs}>
              {({ signal, hours, devices }) => (
                <p class="soft">
                  {hours === null
                    ? t('deploy.needUnknown', { signal: signalInWords(signal) })
                    : t('deploy.need', {
                        signal: signalInWords(signal),
                        wave: gate().judgedFromWave + 1,
                        duration: formatDuration(language(), hours * 3_600_000),
                      })}
                  <Show when={devices}>{(n) => <> {t('deploy.needDevices', { n: n() })}</>}</Show>
                </p>
              )}
            </For>
          </div>
        )}
      </Show>
    </>
  );
}

/** Who is in which wave, who comes later, and who is left out. */
export function ForecastDetails(props: {
  run: DryRun;
  /** The page of all that are left out for a reason, where a query names them. */
  listOf: (reason: Reason) => string | null;
}): JSX.Element {
  const reasons = () =>
    Object.entries(props.run.excludedCounts).filter(([, n]) => n > 0) as [Reason, number][];
  return (
    <>
      <For each={props.run.waves}>
        {(wave, i) => (
          <Names
            title={t(
              props.run.health && i() === props.run.waves.length - 1 ? 'deploy.controlWave' : 'deploy.wave',
              { n: i() + 1, devices: t('common.devices', { n: wave.total }) },
            )}
            total={wave.total}
            names={wave.devices}
            testId="forecast-wave"
          />
        )}
      </For>
      <Show when={props.run.underWay.length > 0}>
        <Names
          title={t('deploy.underWay', { n: props.run.underWay.length })}
          total={props.run.underWay.length}
          names={props.run.underWay.map((one) => <A href={`/deployments/${one.deployment}`}>{one.device}</A>)}
        />
      </Show>
      <For each={reasons()}>
        {([reason, n]) => (
          <Names
            title={t('deploy.excludedBecause', { n, reason: tMaybe(`excluded.${reason}`) ?? reason })}
            total={n}
            names={props.run.excluded.filter((one) => one.reason === reason).map((one) => one.device)}
            all={props.listOf(reason)}
            testId="forecast-excluded"
          />
        )}
      </For>
    </>
  );
}
