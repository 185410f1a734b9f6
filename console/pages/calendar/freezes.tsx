import { createMemo, createSignal, For, type JSX, Show } from 'solid-js';
import { api, type Freeze } from '../../api.ts';
import { formatDay } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import type { Load } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { DateField } from '../../parts/date-field.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { RowAct } from '../../parts/row-act.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { may, reachesAll } from '../../session.ts';
import { browserZone, timeZone } from '../../settings.ts';
import { dayOf } from './month.ts';

const zoneList = 'freeze-zones';

function AddFreeze(props: { onClose: () => void }): JSX.Element {
  const add = (fields: FormData) => {
    const text = (name: string) => String(fields.get(name) ?? '').trim();
    return api.createFreeze({
      name: text('name'),
      firstDay: text('firstDay'),
      lastDay: text('lastDay'),
      timeZone: text('timeZone'),
    });
  };
  const today = dayOf(Date.now());
  return (
    <FormDialog
      title={t('freezes.add')}
      lead={t('freezes.lead')}
      act={add}
      actLabel={t('freezes.add')}
      onClose={props.onClose}
    >
      <TextField name="name" label={t('freezes.name')} maxLength={100} required />
      <DateField name="firstDay" label={t('freezes.firstDay')} value={today} />
      <DateField name="lastDay" label={t('freezes.lastDay')} value={today} />
      <TextField
        name="timeZone"
        label={t('freezes.timeZone')}
        hint={t('freezes.zoneHint')}
        value={timeZone() ?? browserZone()}
        list={zoneList}
        maxLength={64}
        required
      />
      <datalist id={zoneList}>
        <For each={Intl.supportedValuesOf('timeZone')}>{(zone) => <option value={zone} />}</For>
      </datalist>
    </FormDialog>
  );
}

const describe = (remove: (freeze: Freeze) => void): Column<Freeze>[] => [
  { head: t('freezes.name'), cell: (freeze) => freeze.name },
  { head: t('freezes.firstDay'), cell: (freeze) => formatDay(language(), freeze.firstDay) },
  { head: t('freezes.lastDay'), cell: (freeze) => formatDay(language(), freeze.lastDay) },
  { head: t('freezes.timeZone'), class: 'mid soft', cell: (freeze) => freeze.timeZone },
  ...(may('admin') && reachesAll()
    ? [
        {
          head: '',
          class: 'num acts',
          cell: (freeze: Freeze) => (
            <RowAct name={freeze.name} onAct={() => remove(freeze)}>
              {t('freezes.delete')}
            </RowAct>
          ),
        },
      ]
    : []),
];

/** Those that are not over; an admin adds and deletes them. */
export function Freezes(props: { load: Load<Freeze[]>; onDone: () => void }): JSX.Element {
  const [adding, setAdding] = createSignal(false);
  const [going, setGoing] = createSignal<Freeze>();
  const columns = createMemo(() => describe(setGoing));
  const close = () => {
    setAdding(false);
    setGoing(undefined);
    props.onDone();
  };
  return (
    <section aria-labelledby="freezes">
      <div class="section-head">
        <h2 id="freezes">{t('freezes.title')}</h2>
        <Allowed to="admin" fleet>
          <button type="button" class="button" onClick={() => setAdding(true)}>
            {t('freezes.add')}
          </button>
        </Allowed>
      </div>
      <Loaded load={props.load}>
        {(freezes) => (
          <Show when={freezes().length > 0} fallback={<p class="prose soft">{t('freezes.empty')}</p>}>
            <DataTable caption={t('freezes.title')} columns={columns()} rows={freezes()} />
          </Show>
        )}
      </Loaded>
      <Show when={adding()}>
        <AddFreeze onClose={close} />
      </Show>
      <Show when={going()}>
        {(freeze) => (
          <Confirm
            title={t('freezes.deleteTitle', { name: freeze().name })}
            of={freeze()}
            act={(seen) => api.deleteFreeze(freeze().id, seen)}
            actLabel={t('freezes.delete')}
            keepLabel={t('freezes.keep')}
            onClose={close}
          >
            <p>{t('freezes.deleteWhat')}</p>
          </Confirm>
        )}
      </Show>
    </section>
  );
}
