import { createSignal, For, type JSX, Show } from 'solid-js';
import { api, type LogLine, type Page } from '../../api.ts';
import { formatTime } from '../../format.ts';
import { language, t, tMaybe } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Select } from '../../parts/select.tsx';
import { createThrottle } from '../../throttle.ts';

const levels = ['debug', 'info', 'warn', 'error'];
const pageSize = 100;
const mostLines = 1_000;
const throttleMs = 1_000;

/** What the device logs, newest first, kept up to date. */
export function Logs(props: { device: string }): JSX.Element {
  const [level, setLevel] = createSignal('');
  const [limit, setLimit] = createSignal(pageSize);
  const load = createLoad<{ id: string; level: string; limit: number }, Page<LogLine>>(
    () => ({ id: props.device, level: level(), limit: limit() }),
    ({ id, ...query }, signal) => api.listLogs(id, query, signal),
    'at',
  );
  useLive('log', () => props.device, createThrottle(load.refetch, throttleMs));
  return (
    <>
      <div class="tools">
        <Select
          label={t('logs.level')}
          all={t('logs.all')}
          options={levels.map((one) => ({ value: one, label: tMaybe(`logs.atLeast.${one}`) ?? one }))}
          value={level()}
          onChange={setLevel}
        />
      </div>
      <Loaded load={load}>
        {(data) => (
          <Show when={data().items.length > 0} fallback={<p class="soft">{t('logs.none')}</p>}>
            {/* Something that scrolls must be reachable by keyboard. */}
            <section class="logs code" tabindex="0" aria-label={t('device.logs')}>
              <ol>
                <For each={data().items}>
                  {(line) => (
                    <li data-level={line.level}>
                      <time class="soft" datetime={line.at} title={line.at}>
                        {formatTime(language(), line.at)}
                      </time>
                      <span class={line.level === 'error' || line.level === 'warn' ? 'alarm' : 'soft'}>
                        {line.level}
                      </span>
                      <span class="message">{line.message}</span>
                    </li>
                  )}
                </For>
              </ol>
              <Show when={data().total > data().items.length && limit() < mostLines}>
                <button type="button" class="plain link" onClick={() => setLimit(limit() + pageSize)}>
                  {t('logs.older')}
                </button>
              </Show>
            </section>
          </Show>
        )}
      </Loaded>
    </>
  );
}
