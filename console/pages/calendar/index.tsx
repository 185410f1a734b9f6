import { useSearchParams } from '@solidjs/router';
import { createMemo, For, type JSX, Show } from 'solid-js';
import '../../styles/calendar.css';
import { api } from '../../api.ts';
import { formatMonth, formatWeekday, weekdays } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Problem } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { textOf } from '../../parts/params.ts';
import { Day } from './day.tsx';
import { Freezes } from './freezes.tsx';
import { byDay, dayOf, daysOf, isMonth, monthAfter, spanOf } from './month.ts';

/** A month of deployments and freezes: a grid, on a phone the days on which there is something. */
export default function CalendarPage(): JSX.Element {
  const [search, setSearch] = useSearchParams();
  const thisMonth = () => dayOf(Date.now()).slice(0, 7);
  const month = createMemo(() => {
    const asked = textOf(search.month) ?? '';
    return isMonth(asked) ? asked : thisMonth();
  });
  const days = createMemo(() => daysOf(month()));
  const load = createLoad(
    () => spanOf(days()),
    (span, signal) => api.getCalendar(span, signal),
  );
  const freezes = createLoad(
    () => true,
    (_, signal) => api.listFreezes(signal),
  );
  const refetch = () => {
    load.refetch();
    freezes.refetch();
  };
  useLive('deployment', undefined, refetch);
  const deployments = createMemo(() => byDay(load.data?.deployments ?? [], days(), Date.now()));
  const frozen = createMemo(() => byDay(load.data?.freezes ?? [], days(), Date.now()));
  const go = (to: string) => setSearch({ month: to === thisMonth() ? undefined : to });

  return (
    <>
      <Head
        title={t('calendar.title')}
        lead={t('calendar.lead')}
        actions={
          <>
            <button type="button" class="button" onClick={() => go(monthAfter(month(), -1))}>
              {t('calendar.previous')}
            </button>
            <button type="button" class="button" onClick={() => go(thisMonth())}>
              {t('calendar.today')}
            </button>
            <button type="button" class="button" onClick={() => go(monthAfter(month(), 1))}>
              {t('calendar.next')}
            </button>
          </>
        }
      />
      <Problem error={load.error} retry={load.refetch} />
      <section aria-labelledby="month">
        <h2 id="month" aria-live="polite">
          {formatMonth(language(), month())}
        </h2>
        <Show when={(load.data?.total ?? 0) > (load.data?.deployments.length ?? 0)}>
          <p class="soft">{t('calendar.whole')}</p>
        </Show>
        <div class="weekdays" aria-hidden="true">
          <For each={weekdays}>{(day) => <span>{formatWeekday(language(), day)}</span>}</For>
        </div>
        <ol class="month" data-testid="month">
          <For each={days()}>
            {(day) => (
              <Day
                day={day}
                outside={!day.startsWith(month())}
                today={day === dayOf(Date.now())}
                deployments={deployments().get(day) ?? []}
                freezes={frozen().get(day) ?? []}
              />
            )}
          </For>
        </ol>
      </section>
      <Freezes load={freezes} onDone={refetch} />
    </>
  );
}
