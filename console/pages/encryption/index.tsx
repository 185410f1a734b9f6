import { createMemo, createSignal, type JSX, Match, Show, Switch } from 'solid-js';
import { adminApi } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { RowAct } from '../../parts/row-act.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { may, reachesAll } from '../../session.ts';

interface Kept {
  hardware: string;
}

const describe = (remove: (hardware: string) => void): Column<Kept>[] => [
  { head: t('encryption.hardware'), class: 'anywhere', cell: ({ hardware }) => hardware },
  ...(may('admin') && reachesAll()
    ? [
        {
          head: '',
          class: 'num acts',
          cell: ({ hardware }: Kept) => (
            <RowAct name={hardware} onAct={() => remove(hardware)}>
              {t('encryption.stop')}
            </RowAct>
          ),
        },
      ]
    : []),
];

/** Firmware of which hardware is kept and sent encrypted only. */
export default function EncryptionPage(): JSX.Element {
  const [adding, setAdding] = createSignal(false);
  const [removing, setRemoving] = createSignal<string>();
  const load = createLoad(
    () => true,
    (_, signal) => adminApi.readEncryption(signal),
    'hardware',
  );
  useLive('audit', 'encryption', load.refetch);
  const columns = createMemo(() => describe(setRemoving));
  const others = (hardware: string) => (load.data?.hardware ?? []).filter((one) => one !== hardware);
  const set = (hardware: string[]) => adminApi.setEncryption(hardware, load.data?.tag ?? '*');
  const add = (fields: FormData) => {
    const hardware = String(fields.get('hardware')).trim();
    return set([...others(hardware), hardware]);
  };
  const close = () => {
    setAdding(false);
    setRemoving(undefined);
    load.refetch();
  };
  return (
    <>
      <Head
        title={t('encryption.title')}
        lead={load.data?.available === false ? t('error.sealing_unavailable') : t('encryption.lead')}
        actions={
          <Show when={load.data?.available}>
            <Allowed to="admin" fleet>
              <button type="button" class="button primary" onClick={() => setAdding(true)}>
                {t('encryption.add')}
              </button>
            </Allowed>
          </Show>
        }
      />
      <Loaded load={load}>
        {(kept) => (
          <Show
            when={kept().hardware.length > 0}
            fallback={<Empty title={t('encryption.none')} lead={t('encryption.noneLead')} />}
          >
            <DataTable
              caption={t('encryption.title')}
              columns={columns()}
              rows={kept().hardware.map((hardware) => ({ hardware }))}
            />
          </Show>
        )}
      </Loaded>
      <Switch>
        <Match when={adding()}>
          <FormDialog title={t('encryption.add')} act={add} actLabel={t('encryption.save')} onClose={close}>
            <TextField
              name="hardware"
              label={t('encryption.hardware')}
              hint={t('encryption.hint')}
              maxLength={64}
              required
            />
          </FormDialog>
        </Match>
        <Match when={removing()}>
          {(hardware) => (
            <Confirm
              title={t('encryption.stopTitle', { hardware: hardware() })}
              act={() => set(others(hardware()))}
              actLabel={t('encryption.stop')}
              keepLabel={t('common.cancel')}
              onClose={close}
            >
              <p>{t('encryption.stopWhat')}</p>
            </Confirm>
          )}
        </Match>
      </Switch>
    </>
  );
}
