import { createSignal, type JSX, Show } from 'solid-js';
import { workingStates } from '#webhook/deployments/states.ts';
import type { Target } from '../../api.ts';
import { formatBytes, formatRate, formatShare } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { DeferralNote } from '../../parts/deferral.tsx';
import { Progress } from '../../parts/progress.tsx';
import { Chevron, StateMark } from '../../parts/state.tsx';

import { Ago } from '../../parts/time.tsx';
import { Timeline } from './timeline.tsx';

const nameOf = (target: Target) => target.deviceName || target.device;
const placeOf = (target: Target) => [target.region, target.division].filter(Boolean).join(' · ') || '–';

function Meter(props: { target: Target }): JSX.Element {
  const moving = () => workingStates.some((state) => state === props.target.state);
  const shown = () =>
    props.target.totalBytes > 0 && (props.target.receivedBytes > 0 || props.target.state === 'downloading');
  return (
    <Show when={shown()}>
      <div class="small">
        <span>
          {formatShare(language(), props.target.receivedBytes / props.target.totalBytes)}
          <span class="wide"> · {formatBytes(language(), props.target.receivedBytes)}</span>
        </span>
        <Show when={props.target.state === 'downloading' && props.target.bytesPerSecond}>
          {(rate) => <span>{formatRate(language(), rate())}</span>}
        </Show>
      </div>
      <Progress
        value={props.target.receivedBytes}
        max={props.target.totalBytes}
        quiet={!moving() && props.target.state !== 'succeeded'}
        label={`${t('deployment.progress')} ${nameOf(props.target)}`}
      />
    </Show>
  );
}

function Failure(props: { error: NonNullable<Target['error']> }): JSX.Element {
  return (
    <p class="small alarm" title={props.error.code}>
      {t(`failure.${props.error.code}`)}
    </p>
  );
}

export function TargetRow(props: { deployment: string; target: Target }): JSX.Element {
  const [open, setOpen] = createSignal(false);
  return (
    <>
      <tr data-testid="target" data-device={props.target.device} data-state={props.target.state}>
        <td>
          <button
            type="button"
            class="plain expander"
            aria-expanded={open()}
            onClick={() => setOpen(!open())}
            aria-label={t('deployment.timeline', { name: nameOf(props.target) })}
          >
            <Chevron />
            {nameOf(props.target)}
          </button>
        </td>
        <td>
          <StateMark state={props.target.state} />
          <Show when={props.target.error}>{(error) => <Failure error={error()} />}</Show>
          <Show when={props.target.deferred}>{(deferral) => <DeferralNote deferral={deferral()} />}</Show>
        </td>
        <td class="meter">
          <Meter target={props.target} />
        </td>
        <td class="num mid">{props.target.attempt || '–'}</td>
        <td class="wide soft">{placeOf(props.target)}</td>
        <td class="wide soft tight">
          <Ago at={props.target.updatedAt} />
        </td>
      </tr>
      <Show when={open()}>
        <tr>
          <td colspan="6" class="timeline-cell">
            <Timeline
              deployment={props.deployment}
              device={props.target.device}
              name={nameOf(props.target)}
              version={`${props.target.updatedAt} ${props.target.state} ${props.target.attempt}`}
            />
          </td>
        </tr>
      </Show>
    </>
  );
}
