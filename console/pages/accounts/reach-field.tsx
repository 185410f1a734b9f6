import { createSignal, type JSX, Show } from 'solid-js';
import { t } from '../../i18n/i18n.ts';
import { Boxes } from '../../parts/boxes.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { createPlaces } from '../../places.ts';
import type { Reach } from '../../session.ts';

/** What the role holds for: the whole fleet, or the regions and divisions that are ticked. `reachOf` reads it from the form. */
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
      </Show>
    </div>
  );
}

/** The server refuses one that names no place. */
export function reachOf(fields: FormData): Reach | null {
  if (fields.get('scope') === 'fleet') return null;
  return {
    regions: fields.getAll('reach-region').map(String),
    divisions: fields.getAll('reach-division').map(String),
  };
}

/** In a table, beside the role. */
export function ReachNote(props: { reach: Reach | null }): JSX.Element {
  return (
    <Show when={props.reach}>
      {(reach) => (
        <span class="soft small">
          {' '}
          {t('reach.of', { n: reach().regions.length + reach().divisions.length })}
        </span>
      )}
    </Show>
  );
}
