import { A } from '@solidjs/router';
import { createMemo, type JSX, Match, Show, Switch } from 'solid-js';
import { auditActions } from '#webhook/audit/actions.ts';
import { type AuditEntry, adminApi, type Verdict } from '../../admin-api.ts';
import { t, tMaybe } from '../../i18n/i18n.ts';
import { createList } from '../../list.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import type { Column } from '../../parts/data-table.tsx';
import { glyphs } from '../../parts/glyphs.ts';
import { FilterBar, ListTable } from '../../parts/list-page.tsx';
import { Empty, Problem } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { SearchField } from '../../parts/search-field.tsx';
import { Select } from '../../parts/select.tsx';
import { Sign } from '../../parts/state.tsx';
import { When } from '../../parts/time.tsx';

const shownOfMany = 3;

function valueText(value: unknown): string {
  if (Array.isArray(value)) {
    const shown = value.slice(0, shownOfMany).map(valueText).join(', ');
    return value.length > shownOfMany ? `${shown}, … (${value.length})` : shown;
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return tMaybe(`audit.value.${text}`) ?? tMaybe(`role.${text}`) ?? text;
}

const fieldWord = (name: string): string => tMaybe(`audit.field.${name}`) ?? name;

const detailOf = (entry: AuditEntry): string =>
  Object.entries(entry.detail ?? {})
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => `${fieldWord(name)}: ${valueText(value)}`)
    .join(' · ');

const actionWord = (action: string): string => tMaybe(`audit.${action}`) ?? action;

const homes: Record<string, string> = {
  deployment: '/deployments/',
  device: '/devices/',
  firmware: '/firmware/',
};
const uuid = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;

/** To what it was done; an id that no person reads is cut short and told in full by its title. */
function Subject(props: { entry: AuditEntry }): JSX.Element {
  const home = () => homes[props.entry.action.split('.')[0]!];
  const isUuid = () => uuid.test(props.entry.subject);
  const text = () => (
    <code title={props.entry.subject}>
      {isUuid() ? `${props.entry.subject.slice(0, 8)}…` : props.entry.subject}
    </code>
  );
  const isThere = () =>
    home() === homes.device
      ? props.entry.action !== 'device.import' && props.entry.action !== 'device.delete'
      : isUuid();
  return (
    <Show when={isThere() && home()} fallback={text()}>
      {(base) => <A href={base() + encodeURIComponent(props.entry.subject)}>{text()}</A>}
    </Show>
  );
}

const describe = (): Column<AuditEntry>[] => [
  { head: '#', class: 'num wide soft', cell: (entry) => entry.id },
  { head: t('audit.at'), class: 'line soft', cell: (entry) => <When at={entry.at} /> },
  { head: t('audit.actor'), class: 'clip', cell: (entry) => <strong>{entry.actor}</strong> },
  {
    head: t('audit.action'),
    class: 'line',
    cell: (entry) => <span title={entry.action}>{actionWord(entry.action)}</span>,
  },
  {
    head: t('audit.detail'),
    class: 'mid soft small detail',
    cell: (entry) => (
      <>
        <Subject entry={entry} /> {detailOf(entry)}
      </>
    ),
  },
];

/** Whether the hash chain over all entries holds. */
function Chain(props: { verdict: Verdict }): JSX.Element {
  return (
    <Switch>
      <Match when={props.verdict.valid}>
        <Sign tone="good" glyph={glyphs.check} data-testid="chain">
          {t('audit.holds', { n: props.verdict.entries })}
        </Sign>
        <span class="small head-hash">
          <Show when={props.verdict.witnessed} fallback={t('audit.unwitnessed')}>
            {(witnessed) => (
              <>
                {t('audit.witnessed')} <When at={witnessed().at} />{' '}
                <code>
                  {witnessed().id}:{witnessed().hash}
                </code>
              </>
            )}
          </Show>
        </span>
      </Match>
      <Match when={props.verdict.broken}>
        {(broken) => (
          <Sign tone="bad" glyph={glyphs.warning} role="alert" data-testid="chain">
            {t('audit.broken', { id: broken().id, reason: broken().reason })}
          </Sign>
        )}
      </Match>
    </Switch>
  );
}

function Audit(): JSX.Element {
  const list = createList({
    filters: ['actor', 'action', 'subject'],
    fetch: adminApi.listAudit,
    live: 'audit',
  });
  const verdict = createLoad(
    () => true,
    (_, signal) => adminApi.verifyAudit(signal),
  );
  const columns = createMemo(describe);
  return (
    <>
      <Head
        title={t('audit.title')}
        lead={
          <Show when={verdict.data} fallback={t('audit.checking')}>
            {(data) => <Chain verdict={data()} />}
          </Show>
        }
        actions={
          <button type="button" class="button" disabled={verdict.loading} onClick={verdict.refetch}>
            {t('audit.verify')}
          </button>
        }
      />
      <Problem error={verdict.error} retry={verdict.refetch} />
      <FilterBar list={list}>
        <SearchField
          main
          label={t('audit.byActor')}
          value={list.value('actor')}
          onSearch={(actor) => list.set({ actor })}
        />
        <Select
          label={t('audit.action')}
          all={t('audit.anyAction')}
          options={auditActions.map((action) => ({ value: action, label: actionWord(action) }))}
          value={list.value('action')}
          onChange={(action) => list.set({ action })}
        />
        <SearchField
          label={t('audit.bySubject')}
          value={list.value('subject')}
          onSearch={(subject) => list.set({ subject })}
        />
      </FilterBar>
      <ListTable
        caption={t('audit.title')}
        list={list}
        columns={columns()}
        empty={<Empty title={t('common.noMatch')} lead={t('audit.exact')} />}
      />
    </>
  );
}

export default function AuditPage(): JSX.Element {
  return (
    <Allowed to="admin" fleet page>
      <Audit />
    </Allowed>
  );
}
