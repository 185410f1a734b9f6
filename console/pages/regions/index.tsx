import { A } from '@solidjs/router';
import { createMemo, createSignal, type JSX, Match, Show, Switch } from 'solid-js';
import { adminApi, type Place, type PlaceKind } from '../../admin-api.ts';
import { formatNumber } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { RowAct } from '../../parts/row-act.tsx';
import { may, reachesAll } from '../../session.ts';
import { DeletePlace, NamePlace } from './dialogs.tsx';

type Asked = { act: 'add' } | { act: 'rename' | 'delete'; place: Place };

const describe = (kind: PlaceKind, ask: (asked: Asked) => void): Column<Place>[] => [
  { head: t('places.name'), cell: (place) => place.name },
  {
    head: t('devices.title'),
    class: 'num',
    cell: (place) => (
      <Show when={place.devices > 0} fallback={<span class="soft">0</span>}>
        <A href={`/devices?${kind === 'regions' ? 'region' : 'division'}=${place.id}`}>
          {formatNumber(language(), place.devices)}
        </A>
      </Show>
    ),
  },
  ...(kind === 'regions'
    ? [
        {
          head: t('places.timeZone'),
          class: 'mid soft',
          cell: (place: Place) => place.timeZone ?? '–',
        },
      ]
    : []),
  ...(may('admin') && reachesAll()
    ? [
        {
          head: '',
          class: 'num acts',
          cell: (place: Place) => (
            <>
              <RowAct name={place.name} onAct={() => ask({ act: 'rename', place })}>
                {t('places.rename')}
              </RowAct>{' '}
              <RowAct name={place.name} onAct={() => ask({ act: 'delete', place })}>
                {t('places.delete')}
              </RowAct>
            </>
          ),
        },
      ]
    : []),
];

function Places(props: { kind: PlaceKind }): JSX.Element {
  const [asked, setAsked] = createSignal<Asked>();
  const load = createLoad(
    () => props.kind,
    (kind, signal) => adminApi.listPlaces(kind, signal),
  );
  useLive('audit', () => props.kind, load.refetch);
  useLive('audit', 'device', load.refetch);
  const columns = createMemo(() => describe(props.kind, setAsked));
  const close = () => {
    setAsked(undefined);
    load.refetch();
  };
  const word = () => (props.kind === 'regions' ? 'region' : 'division');

  return (
    <section aria-labelledby={props.kind}>
      <div class="section-head">
        <h2 id={props.kind}>{t(`places.${props.kind}`)}</h2>
        <Allowed to="admin" fleet>
          <button type="button" class="button" onClick={() => setAsked({ act: 'add' })}>
            {t(`places.add.${word()}`)}
          </button>
        </Allowed>
      </div>
      <Loaded load={load}>
        {(places) => (
          <Show
            when={places().length > 0}
            fallback={<Empty title={t(`places.empty.${word()}`)} lead={t('places.emptyLead')} />}
          >
            <DataTable caption={t(`places.${props.kind}`)} columns={columns()} rows={places()} />
          </Show>
        )}
      </Loaded>
      <Switch>
        <Match when={asked()?.act === 'delete' && (asked() as Extract<Asked, { place: Place }>)}>
          {(one) => (
            <DeletePlace
              kind={props.kind}
              place={one().place}
              others={(load.data ?? []).filter((place) => place.id !== one().place.id)}
              onClose={close}
            />
          )}
        </Match>
        <Match when={asked()?.act === 'rename' && (asked() as Extract<Asked, { place: Place }>)}>
          {(one) => <NamePlace kind={props.kind} place={one().place} onClose={close} />}
        </Match>
        <Match when={asked()}>
          <NamePlace kind={props.kind} onClose={close} />
        </Match>
      </Switch>
    </section>
  );
}

export default function PlacesPage(): JSX.Element {
  return (
    <>
      <Head title={t('places.title')} lead={t('places.lead')} />
      <div class="columns">
        <Places kind="regions" />
        <Places kind="divisions" />
      </div>
    </>
  );
}
