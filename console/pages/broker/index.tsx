import { type JSX, Match, Show, Switch } from 'solid-js';
import { adminApi, type Broker, type BrokerHere } from '../../admin-api.ts';
import { t, tMaybe } from '../../i18n/i18n.ts';
import { createLoad, usePoll } from '../../load.ts';
import { glyphs } from '../../parts/glyphs.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Head } from '../../parts/page.tsx';
import { Sign } from '../../parts/state.tsx';
import { ActionTable } from './actions.tsx';
import { Drift } from './drift.tsx';
import { totalOf } from './readings.ts';
import { RuleTable } from './rules.tsx';

const pollMs = 4_000;

function Lead(props: { broker: Broker }): JSX.Element {
  const lost = () => totalOf(props.broker, 'lost');
  return (
    <Switch>
      <Match when={props.broker.state === 'away'}>
        <Sign tone="bad" glyph={glyphs.cross} role="status">
          {t('broker.away')}
        </Sign>
      </Match>
      <Match when={props.broker.state === 'here' && props.broker}>
        {(here) => (
          <span role="status">
            EMQX {(here() as BrokerHere).version} ·{' '}
            <Show
              when={!(here() as BrokerHere).defaultPassword}
              fallback={
                <Sign tone="bad" glyph={glyphs.warning}>
                  {t('broker.open')}
                </Sign>
              }
            >
              <Sign tone={lost() ? 'bad' : 'good'} glyph={lost() ? glyphs.warning : glyphs.check}>
                {lost() ? t('broker.lost', { n: lost() }) : t('broker.nothingLost')}
              </Sign>
            </Show>
          </span>
        )}
      </Match>
    </Switch>
  );
}

function Away(props: { broker: Extract<Broker, { state: 'away' }> }): JSX.Element {
  return (
    <div class="note" data-testid="broker-away">
      <h2>{t('broker.awayTitle')}</h2>
      <p class="soft">{tMaybe(`broker.why.${props.broker.code}`) ?? props.broker.reason}</p>
      <p class="soft">{t('broker.awayLead')}</p>
      <p class="small soft">
        <code>{props.broker.reason}</code>
      </p>
    </div>
  );
}

function OpenDashboard(): JSX.Element {
  return (
    <div class="problem" role="alert" data-testid="broker-open">
      <p>{t('broker.defaultPassword')}</p>
      <p>
        <code>emqx ctl admins passwd admin …</code>
      </p>
    </div>
  );
}

function Connectors(props: { broker: BrokerHere }): JSX.Element {
  const down = () => props.broker.connectors.filter((one) => one.enabled && one.status !== 'connected');
  return (
    <Show when={down().length > 0}>
      <div class="problem" role="alert">
        <p>
          {t('broker.connectorDown', {
            names: down()
              .map((one) => `${one.id} (${one.url})`)
              .join(', '),
          })}
        </p>
      </div>
    </Show>
  );
}

/** What the broker does with what devices say, by its own counts, and whether it does what the files say. */
export default function BrokerPage(): JSX.Element {
  const load = createLoad(
    () => true,
    (_, signal) => adminApi.getBroker(signal),
  );
  // EMQX tells nobody when a count moves.
  usePoll(pollMs, load.refetch);
  const dashboard = () => load.data?.dashboardUrl ?? null;

  return (
    <>
      <Head
        title={t('broker.title')}
        lead={<Show when={load.data}>{(broker) => <Lead broker={broker()} />}</Show>}
        actions={
          <Show when={dashboard()}>
            {(url) => (
              <a class="button" href={url()} target="_blank" rel="noreferrer">
                {t('broker.dashboard')}
              </a>
            )}
          </Show>
        }
      />
      <Loaded load={load}>
        {(broker) => (
          <Switch>
            <Match when={broker().state === 'away'}>
              <Away broker={broker() as Extract<Broker, { state: 'away' }>} />
            </Match>
            <Match when={broker().state === 'here'}>
              <Show when={(broker() as BrokerHere).defaultPassword}>
                <OpenDashboard />
              </Show>
              <Connectors broker={broker() as BrokerHere} />
              <ActionTable broker={broker() as BrokerHere} dashboard={dashboard()} />
              <RuleTable broker={broker() as BrokerHere} dashboard={dashboard()} />
              <Drift drift={(broker() as BrokerHere).drift} />
              <Show when={dashboard() === null}>
                <p class="small soft prose">{t('broker.standIn')}</p>
              </Show>
            </Match>
          </Switch>
        )}
      </Loaded>
    </>
  );
}
