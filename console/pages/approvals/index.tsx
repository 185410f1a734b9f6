import { createMemo, createSignal, type JSX, Match, Show, Switch } from 'solid-js';
import { type ApprovalRule, adminApi } from '../../admin-api.ts';
import { formatNumber } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
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

const hardwareOf = ({ hardware }: ApprovalRule) => hardware ?? t('approval.any');

const describe = (remove: (rule: ApprovalRule) => void): Column<ApprovalRule>[] => [
  { head: t('approval.hardware'), class: 'anywhere', cell: (rule) => hardwareOf(rule) },
  {
    head: t('approval.above'),
    class: 'num',
    cell: (rule) => formatNumber(language(), rule.aboveDevices),
  },
  ...(may('admin') && reachesAll()
    ? [
        {
          head: '',
          class: 'num acts',
          cell: (rule: ApprovalRule) => (
            <RowAct name={hardwareOf(rule)} onAct={() => remove(rule)}>
              {t('approval.delete')}
            </RowAct>
          ),
        },
      ]
    : []),
];

/** Which deployments wait for a second person. */
export default function ApprovalRulesPage(): JSX.Element {
  const [asked, setAsked] = createSignal<'add' | ApprovalRule>();
  const load = createLoad(
    () => true,
    (_, signal) => adminApi.getApprovalRules(signal),
    'hardware',
  );
  useLive('audit', 'approval_rules', load.refetch);
  const columns = createMemo(() => describe(setAsked));
  const others = (hardware: string | null) =>
    (load.data?.rules ?? []).filter((rule) => rule.hardware !== hardware).map((rule) => ({ ...rule }));
  const add = (fields: FormData) => {
    const hardware = String(fields.get('hardware')).trim() || null;
    const aboveDevices = Number(String(fields.get('above')).trim());
    return adminApi.setApprovalRules(
      [...others(hardware), { hardware, aboveDevices }],
      load.data?.tag ?? '*',
    );
  };
  const gone = () => {
    const one = asked();
    return typeof one === 'object' ? one : undefined;
  };
  const close = () => {
    setAsked(undefined);
    load.refetch();
  };
  return (
    <>
      <Head
        title={t('approval.rules')}
        lead={t('approval.rulesLead')}
        actions={
          <Allowed to="admin" fleet>
            <button type="button" class="button primary" onClick={() => setAsked('add')}>
              {t('approval.add')}
            </button>
          </Allowed>
        }
      />
      <Loaded load={load}>
        {(loaded) => (
          <Show
            when={loaded().rules.length > 0}
            fallback={<Empty title={t('approval.none')} lead={t('approval.noneLead')} />}
          >
            <DataTable caption={t('approval.rules')} columns={columns()} rows={loaded().rules} />
          </Show>
        )}
      </Loaded>
      <Switch>
        <Match when={asked() === 'add'}>
          <FormDialog title={t('approval.add')} act={add} actLabel={t('approval.save')} onClose={close}>
            <TextField
              name="hardware"
              label={t('approval.hardware')}
              hint={t('approval.any')}
              maxLength={64}
            />
            <TextField
              name="above"
              label={t('approval.above')}
              hint={t('approval.aboveHint')}
              inputMode="numeric"
              maxLength={8}
              required
            />
          </FormDialog>
        </Match>
        <Match when={gone()}>
          {(rule) => (
            <Confirm
              title={t('approval.deleteTitle')}
              act={() => adminApi.setApprovalRules(others(rule().hardware), load.data?.tag ?? '*')}
              actLabel={t('approval.delete')}
              keepLabel={t('common.cancel')}
              onClose={close}
            >
              <p>{t('approval.deleteWhat')}</p>
            </Confirm>
          )}
        </Match>
      </Switch>
    </>
  );
}
