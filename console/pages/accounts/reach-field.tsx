import { createSignal, type JSX, Show } from 'solid-js';
import { maxLength, setFields } from '#webhook/devices/query/grammar.ts';
import { t } from '../../i18n/i18n.ts';
import { Boxes } from '../../parts/boxes.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { createPlaces } from '../../places.ts';
import type { Reach } from '../../session.ts';
import { GroupSelect } from '../devices/group-select.tsx';
import { createGroups } from '../devices/groups.tsx';

/** What the role holds for: the whole fleet, or the places that are ticked and what a query finds. `reachOf` reads it from the form. */
export function ReachField(props: { value: Reach | null }): JSX.Element {
  const [scope, setScope] = createSignal(props.value ? 'places' : 'fleet');
  const { regions, divisions } = createPlaces();
  const options = (places: { id: string; name: string }[]) =>
    places.map(({ id, name }) => ({ value: id, label: name }));
  return (
    <div>
      <SelectField
        name="scope"
        label={t('reach.title')}
        options={(['fleet', 'places'] as const).map((one) => ({ value: one, label: t(`reach.${one}`) }))}
        value={scope()}
        onChange={setScope}
      />
      <Show when={scope() === 'places'}>
        <p class="hint">{t('reach.hint')}</p>
        <Loaded load={regions}>
          {(places) => (
            <Boxes
              legend={t('places.regions')}
              name="reach-region"
              options={options(places())}
              chosen={props.value?.regions ?? []}
            />
          )}
        </Loaded>
        <Loaded load={divisions}>
          {(places) => (
            <Boxes
              legend={t('places.divisions')}
              name="reach-division"
              options={options(places())}
              chosen={props.value?.divisions ?? []}
            />
          )}
        </Loaded>
        <QueryOf value={props.value?.query ?? ''} />
      </Show>
    </div>
  );
}

/** Its own text, also when it is taken from a saved query: that one may change. */
function QueryOf(props: { value: string }): JSX.Element {
  const groups = createGroups();
  const [text, setText] = createSignal(props.value);
  return (
    <>
      <TextField
        name="reach-query"
        label={t('reach.query')}
        hint={t('reach.queryHint', { fields: setFields.map(({ name }) => name).join(', ') })}
        value={text()}
        maxLength={maxLength}
        onInput={setText}
      />
      <Show when={groups.data?.length}>
        <GroupSelect
          groups={groups.data!}
          label={t('reach.takeQuery')}
          chosen={groups.data!.find(({ query }) => query === text())}
          onChoose={(group) => setText(group?.query ?? '')}
        />
      </Show>
    </>
  );
}

/** The server refuses one that names neither place nor query. */
export function reachOf(fields: FormData): Reach | null {
  if (fields.get('scope') === 'fleet') return null;
  const query = String(fields.get('reach-query') ?? '').trim();
  return {
    ...(query && { query }),
    regions: fields.getAll('reach-region').map(String),
    divisions: fields.getAll('reach-division').map(String),
  };
}

/** In a table, beside the role. */
export function ReachNote(props: { reach: Reach | null }): JSX.Element {
  const words = ({ regions, divisions, query }: Reach) => {
    const n = regions.length + divisions.length;
    return [...(n > 0 ? [t('reach.of', { n })] : []), ...(query ? [t('reach.byQuery')] : [])].join(', ');
  };
  return (
    <Show when={props.reach}>
      {(reach) => (
        <span class="soft small" title={reach().query}>
          {' '}
          {words(reach())}
        </span>
      )}
    </Show>
  );
}
