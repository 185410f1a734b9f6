import { createSignal, type JSX, Show } from 'solid-js';
import { adminApi } from './admin-api.ts';
import { t } from './i18n/i18n.ts';
import { useLive } from './live.ts';
import { createLoad, usePoll } from './load.ts';
import { Attention } from './pages/overview/attention.tsx';
import { mattersOf } from './pages/overview/matters.ts';
import { Dialog } from './parts/dialog.tsx';
import { glyphs } from './parts/glyphs.ts';
import { Glyph } from './parts/state.tsx';
import { createThrottle } from './throttle.ts';

const throttleMs = 5_000;
const pollMs = 60_000;

/** What needs attention, from every page; nothing where nothing does. The broker is asked by the overview alone. */
export default function Bell(): JSX.Element {
  const [open, setOpen] = createSignal(false);
  const load = createLoad(
    () => true,
    (_, signal) => adminApi.getOverview(signal),
  );
  const refetch = createThrottle(load.refetch, throttleMs);
  useLive('deployment', undefined, refetch);
  useLive('dead_letter', undefined, refetch);
  usePoll(pollMs, load.refetch);
  const count = () => (load.data ? mattersOf(load.data, undefined).length : 0);
  return (
    <>
      <Show when={count()}>
        <button
          type="button"
          class="bell"
          aria-label={`${t('overview.attention')}: ${count()}`}
          title={t('overview.attention')}
          onClick={() => setOpen(true)}
        >
          <Glyph path={glyphs.bell} />
          {count()}
        </button>
      </Show>
      <Show when={open()}>
        <Dialog title={t('overview.attention')} onClose={() => setOpen(false)}>
          {(close) => (
            // biome-ignore lint/a11y/noStaticElementInteractions: what is pressed are the links in it
            // biome-ignore lint/a11y/useKeyWithClickEvents: as links are by keys
            <div onClick={(event) => (event.target as Element).closest('a') && close()}>
              <Show when={load.data}>
                {(overview) => <Attention overview={overview()} broker={undefined} />}
              </Show>
            </div>
          )}
        </Dialog>
      </Show>
    </>
  );
}
