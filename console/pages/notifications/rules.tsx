import { createMemo, createSignal, type JSX, Match, Show, Switch } from 'solid-js';
import { adminApi, type NotificationChannel, type NotificationRule, type Place } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import type { Load } from '../../load.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { glyphs } from '../../parts/glyphs.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Empty } from '../../parts/notes.tsx';
import { RowAct } from '../../parts/row-act.tsx';
import { Sign } from '../../parts/state.tsx';
import { RuleDialog } from './rule-dialog.tsx';

type Asked = { act: 'add' } | { act: 'change' | 'delete'; rule: NotificationRule };

const describe = (
  names: (ids: string[]) => string,
  region: (id: string) => string,
  ask: (asked: Asked) => void,
): Column<NotificationRule>[] => [
  {
    head: t('notify.name'),
    cell: (rule) => (
      <>
        <strong>{rule.name}</strong>
        <Show when={rule.quietHours}>
          {(quiet) => (
            <p class="small soft">
              {t('notify.quietHours', { from: quiet().from, to: quiet().to, zone: quiet().timeZone })}
            </p>
          )}
        </Show>
      </>
    ),
  },
  {
    head: t('notify.what'),
    class: 'mid',
    cell: (rule) => (
      <>
        {rule.kinds.map((kind) => t(`notify.event.${kind}`)).join(', ')}
        <Show when={rule.minSeverity !== 'info'}>
          <p class="small soft">
            {t('notify.from')}: {t(`notify.severity.${rule.minSeverity}`)}
          </p>
        </Show>
      </>
    ),
  },
  {
    head: t('notify.where'),
    class: 'mid',
    cell: (rule) => (rule.regionId === null ? t('notify.everywhere') : region(rule.regionId)),
  },
  { head: t('notify.to'), cell: (rule) => names(rule.channels) },
  {
    head: t('notify.state'),
    class: 'tight',
    cell: (rule) => (
      <Sign tone={rule.enabled ? 'good' : 'stopped'} glyph={rule.enabled ? glyphs.check : glyphs.cross}>
        {t(rule.enabled ? 'notify.on' : 'notify.off')}
      </Sign>
    ),
  },
  {
    head: '',
    class: 'num acts stacks',
    cell: (rule) => (
      <>
        <RowAct name={rule.name} onAct={() => ask({ act: 'change', rule })}>
          {t('notify.change')}
        </RowAct>{' '}
        <RowAct name={rule.name} onAct={() => ask({ act: 'delete', rule })}>
          {t('notify.delete')}
        </RowAct>
      </>
    ),
  },
];

export function Rules(props: {
  load: Load<NotificationRule[]>;
  channels: NotificationChannel[];
  regions: Place[];
}): JSX.Element {
  const [asked, setAsked] = createSignal<Asked>();
  const nameOf = (all: { id: string; name: string }[], id: string) =>
    all.find((one) => one.id === id)?.name ?? '–';
  const columns = createMemo(() =>
    describe(
      (ids) => ids.map((id) => nameOf(props.channels, id)).join(', '),
      (id) => nameOf(props.regions, id),
      setAsked,
    ),
  );
  const close = () => {
    setAsked(undefined);
    props.load.refetch();
  };
  const of = (act: Asked['act']) => {
    const one = asked();
    return one?.act === act && 'rule' in one ? one.rule : undefined;
  };
  const dialog = (rule?: NotificationRule) => (
    <RuleDialog rule={rule} channels={props.channels} regions={props.regions} onClose={close} />
  );
  return (
    <section aria-labelledby="rules">
      <div class="section-head">
        <h2 id="rules">{t('notify.rules')}</h2>
        <Show when={props.channels.length > 0}>
          <button type="button" class="button" onClick={() => setAsked({ act: 'add' })}>
            {t('notify.addRule')}
          </button>
        </Show>
      </div>
      <Loaded load={props.load}>
        {(rules) => (
          <Show
            when={rules().length > 0}
            fallback={<Empty title={t('notify.noRules')} lead={t('notify.noRulesLead')} />}
          >
            <DataTable caption={t('notify.rules')} columns={columns()} rows={rules()} />
          </Show>
        )}
      </Loaded>
      <Switch>
        <Match when={asked()?.act === 'add'}>{dialog()}</Match>
        <Match when={of('change')}>{(rule) => dialog(rule())}</Match>
        <Match when={of('delete')}>
          {(rule) => (
            <Confirm
              title={t('notify.deleteTitle', { name: rule().name })}
              of={rule()}
              act={(seen) => adminApi.deleteRule(rule().id, seen)}
              actLabel={t('notify.delete')}
              keepLabel={t('common.cancel')}
              onClose={close}
            >
              <p>{t('notify.deleteRule')}</p>
            </Confirm>
          )}
        </Match>
      </Switch>
    </section>
  );
}
