import { createSignal, For, type JSX, Show } from 'solid-js';
import { createAct } from '../../act.ts';
import { api, type Command, type Device } from '../../api.ts';
import { t, tMaybe } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { glyphs } from '../../parts/glyphs.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Problem } from '../../parts/notes.tsx';
import { Sign } from '../../parts/state.tsx';
import { Ago } from '../../parts/time.tsx';
import { Who } from '../../parts/who.tsx';
import { CommandFields, namePattern, readArgs } from './command-fields.tsx';

/** What every device of ours understands; others may be typed. */
const known = ['ping', 'identify', 'report', 'reboot'];
const outcomes = {
  waiting: { tone: 'waiting', glyph: glyphs.dots },
  ok: { tone: 'good', glyph: glyphs.check },
  refused: { tone: 'bad', glyph: glyphs.cross },
} as const;

function Answer(props: { command: Command }): JSX.Element {
  const outcome = () => (props.command.ok === null ? 'waiting' : props.command.ok ? 'ok' : 'refused');
  const detail = () => {
    const { error, result } = props.command;
    if (error) return `${tMaybe(`failure.${error.code}`) ?? error.code} ${error.message ?? ''}`;
    return result === undefined ? '' : JSON.stringify(result);
  };
  return (
    <li data-testid="command" data-outcome={outcome()}>
      <code>{props.command.command}</code>
      <Sign tone={outcomes[outcome()].tone} glyph={outcomes[outcome()].glyph}>
        {t(`command.${outcome()}`)}
      </Sign>
      <span class="soft small">
        <Ago at={props.command.createdAt} /> ·{' '}
        <Who name={props.command.createdBy}>{props.command.createdBy}</Who>
      </span>
      <Show when={detail()}>
        <span class="answer code">{detail()}</span>
      </Show>
    </li>
  );
}

/** Sends a command; its answer appears when it comes. */
export function Commands(props: { device: Device }): JSX.Element {
  const [name, setName] = createSignal('');
  const [args, setArgs] = createSignal('');
  const load = createLoad(
    () => props.device.id,
    (id, signal) => api.listCommands(id, signal),
  );
  useLive('command', () => props.device.id, load.refetch);
  const send = createAct(async () => {
    const given = readArgs(args());
    await api.sendCommand(props.device.id, { command: name(), ...(given && { args: given }) });
    setName('');
    setArgs('');
    load.refetch();
  });
  const ready = () => namePattern.test(name()) && readArgs(args()) !== null;

  return (
    <>
      <Allowed to="operator">
        <form
          class="command-form"
          onSubmit={(event) => {
            event.preventDefault();
            void send.run();
          }}
        >
          <fieldset class="segments" aria-label={t('command.common')}>
            <For each={known}>
              {(one) => (
                <button type="button" aria-pressed={name() === one} onClick={() => setName(one)}>
                  {one}
                </button>
              )}
            </For>
          </fieldset>
          <div class="pair">
            <CommandFields name={name()} args={args()} setName={setName} setArgs={setArgs} />
          </div>
          <Problem error={send.error()} />
          <div class="actions">
            <button type="submit" class="button" disabled={!ready() || send.busy()}>
              {t('command.send')}
            </button>
            <Show when={!props.device.online}>
              <p class="hint">{t('command.offline')}</p>
            </Show>
          </div>
        </form>
      </Allowed>
      <Loaded load={load}>
        {(data) => (
          <ol class="command-list" aria-label={t('device.commands')}>
            <For each={data().items} fallback={<li class="soft">{t('command.none')}</li>}>
              {(command) => <Answer command={command} />}
            </For>
          </ol>
        )}
      </Loaded>
    </>
  );
}
