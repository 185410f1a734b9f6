import { type JSX, Show } from 'solid-js';
import { formatBytes, formatTime } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { Sign } from '../../parts/state.tsx';
import { ChunkMap } from './chunk-map.tsx';
import { conditionOf } from './condition.ts';
import { noteText } from './notes.ts';
import type { ShowAct, ShowDevice } from './wire.ts';

function Slot(props: { name: 'a' | 'b'; slots: NonNullable<ShowDevice['slots']> }): JSX.Element {
  const active = () => props.slots.active === props.name;
  const role = () => {
    if (active()) return props.slots.confirmed === props.name ? 'runs' : 'trial';
    return props.slots[props.name] === null
      ? 'empty'
      : props.slots.confirmed === props.name
        ? 'back'
        : 'spare';
  };
  return (
    <span class={`slot ${role()}`} title={t(`show.slot.${role()}`)}>
      <span aria-hidden="true">{props.name.toUpperCase()}</span>
      <span class="unseen">{t('show.slot', { name: props.name.toUpperCase() })}</span>{' '}
      <strong>{props.slots[props.name] ?? '–'}</strong>
      <span class="unseen"> {t(`show.slot.${role()}`)}</span>
    </span>
  );
}

function Bytes(props: { device: ShowDevice }): JSX.Element {
  const bytes = (n: number) => formatBytes(language(), n);
  return (
    <span class="soft">
      <Show when={props.device.totalBytes > 0} fallback={t('show.nothingYet')}>
        <span class="bytes">
          {t('register.sent', {
            sent: bytes(props.device.receivedBytes),
            total: bytes(props.device.totalBytes),
          })}
        </span>
        <Show when={props.device.againBytes > 0}>
          {' '}
          · {t('show.again', { bytes: bytes(props.device.againBytes) })}
        </Show>
        <Show when={props.device.resumes > 0}> · {t('show.resumes', { n: props.device.resumes })}</Show>
        <Show when={props.device.verified}> · {t('show.verified')}</Show>
      </Show>
    </span>
  );
}

export function DeviceRow(props: {
  device: ShowDevice;
  nowMs: number;
  act: (act: ShowAct, devices: string[]) => void;
}): JSX.Element {
  const condition = () => conditionOf(props.device, props.nowMs);
  const button = (act: ShowAct, disabled: boolean) => (
    <button
      type="button"
      class="button slim"
      disabled={disabled}
      onClick={() => props.act(act, [props.device.id])}
    >
      {t(`show.act.${act}`)}
      <span class="unseen"> {props.device.id}</span>
    </button>
  );
  const dark = () => Boolean(props.device.powerCutUntil && props.device.powerCutUntil > props.nowMs);
  return (
    <li
      class="show-device"
      data-testid="show-device"
      data-device={props.device.id}
      data-outcome={props.device.outcome}
    >
      <div class="show-line">
        <h3>{props.device.id}</h3>
        <Sign tone={condition().tone} glyph={condition().glyph} data-testid="condition">
          {condition().text}
        </Sign>
        <span class="slots">
          <Show when={props.device.slots}>
            {(slots) => (
              <>
                <Slot name="a" slots={slots()} />
                <Slot name="b" slots={slots()} />
              </>
            )}
          </Show>
        </span>
        <span class="show-acts">
          {button('cut_network', dark())}
          {button('pull_plug', dark())}
          {button(props.device.slow ? 'full_speed' : 'slow_down', false)}
        </span>
      </div>
      <ChunkMap
        cells={props.device.cells}
        verified={props.device.verified}
        undone={props.device.outcome === 'rolled_back' || props.device.outcome === 'failed'}
        label={t('show.mapLabel', {
          received: formatBytes(language(), props.device.receivedBytes),
          total: formatBytes(language(), props.device.totalBytes),
          state: condition().text,
        })}
      />
      <p class="show-line small">
        <Bytes device={props.device} />
        <Show when={props.device.notes[0]}>
          {(note) => (
            <span class="show-note">
              <time class="soft" datetime={note().at}>
                {formatTime(language(), note().at)}
              </time>{' '}
              {noteText(note())}
            </span>
          )}
        </Show>
      </p>
    </li>
  );
}
