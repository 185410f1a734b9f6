import { createEffect, createSignal, type JSX, Show } from 'solid-js';
import { api } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { Problem } from '../../parts/notes.tsx';
import { SearchField } from '../../parts/search-field.tsx';
import { SelectField } from '../../parts/select-field.tsx';

const shown = 50;

/** A firmware of any number, searched on the server; the first that is found is chosen until another one is. */
export function FirmwareField(props: { onChoose: (id: string) => void }): JSX.Element {
  const [search, setSearch] = createSignal('');
  const [chosen, setChosen] = createSignal('');
  const load = createLoad(
    () => ({ search: search(), limit: shown }),
    (query, signal) => api.listFirmwares(query, signal),
  );
  const found = () => load.data?.items ?? [];
  const id = () => (found().some((one) => one.id === chosen()) ? chosen() : (found()[0]?.id ?? ''));
  createEffect(() => props.onChoose(id()));
  const beyond = () => (load.data?.total ?? 0) - found().length;
  return (
    <>
      <SearchField label={t('bulk.searchFirmware')} value={search()} onSearch={setSearch} />
      <Problem error={load.error} retry={load.refetch} />
      <SelectField
        name="firmware"
        label={t('nav.firmware')}
        value={id()}
        onChange={setChosen}
        options={found().map(({ id, name, version, hardware }) => ({
          value: id,
          label: `${name} ${version} · ${hardware}`,
        }))}
      />
      <p class="hint" role="status">
        <Show when={load.data && found().length === 0}>{t('common.noMatch')}</Show>
        <Show when={beyond() > 0}>{t('bulk.moreFirmware', { n: beyond() })}</Show>
      </p>
    </>
  );
}
