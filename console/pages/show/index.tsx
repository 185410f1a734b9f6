import { A } from '@solidjs/router';
import { createSignal, For, type JSX, onCleanup, onMount, Show } from 'solid-js';
import { createAct } from '../../act.ts';
import { send } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Empty, Loading, Problem } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { user } from '../../session.ts';
import NotFoundPage from '../not-found.tsx';
import '../../styles/show.css';
import { CellSample } from './chunk-map.tsx';
import { DeviceRow } from './device-row.tsx';
import { createDevices } from './devices.ts';
import { noteText } from './notes.ts';
import type { Cell, ShowAct, ShowDeployment, ShowImage } from './wire.ts';

/** Long enough to see it, short enough to wait for it. */
const forMs: Record<ShowAct, number> = {
  cut_network: 8_000,
  pull_plug: 4_000,
  slow_down: 1_000,
  full_speed: 1_000,
};
const samples = { a: 'asked', '+': 'here', x: 'lost', r: 'again' } as const satisfies Partial<
  Record<Cell, string>
>;

/** A second's tick for count-downs. */
function createNow() {
  const [now, setNow] = createSignal(Date.now());
  onMount(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    onCleanup(() => clearInterval(timer));
  });
  return now;
}

function Started(props: { deployment: ShowDeployment }): JSX.Element {
  return (
    <p class="show-started" role="status" data-testid="started">
      {t(`show.started.${props.deployment.image}`, { version: props.deployment.version })}{' '}
      <A class="link" href={`/deployments/${props.deployment.id}`}>
        {t('show.follow')}
      </A>
    </p>
  );
}

function Legend(): JSX.Element {
  return (
    <ul class="show-legend small soft" aria-label={t('show.legend')}>
      <For each={Object.keys(samples) as (keyof typeof samples)[]}>
        {(kind) => (
          <li>
            <CellSample kind={kind} /> {t(`show.cell.${samples[kind]}`)}
          </li>
        )}
      </For>
      <li>
        <span class="verified-sample" aria-hidden="true" /> {t('show.cell.verified')}
      </li>
    </ul>
  );
}

function Stage(): JSX.Element {
  const { devices, arrived, news } = createDevices();
  const now = createNow();
  const [started, setStarted] = createSignal<ShowDeployment>();
  const deploy = createAct(async (image: ShowImage) =>
    setStarted(await send<ShowDeployment>('POST', '/api/show/deploy', { image })),
  );
  // Not createAct: what is done to one device must not wait for another.
  const [refused, setRefused] = createSignal<unknown>();
  const act = (kind: ShowAct, ids: string[]) => {
    setRefused(undefined);
    const order = { act: kind, devices: ids, forMs: forMs[kind] };
    send('POST', '/api/show/act', order).catch(setRefused);
  };
  const all = () => devices.map((one) => one.id);
  const anySlow = () => devices.some((one) => one.slow);

  return (
    <>
      <Head
        title={t('show.title')}
        lead={t('show.lead', { n: devices.length })}
        actions={
          <>
            <button
              type="button"
              class="button primary"
              disabled={deploy.busy() || devices.length === 0}
              onClick={() => deploy.run('good')}
            >
              {t('show.deployGood')}
            </button>
            <button
              type="button"
              class="button"
              disabled={deploy.busy() || devices.length === 0}
              onClick={() => deploy.run('bad')}
            >
              {t('show.deployBad')}
            </button>
          </>
        }
      />
      <ol class="show-steps">
        <li>{t('show.step1')}</li>
        <li>{t('show.step2')}</li>
        <li>{t('show.step3')}</li>
      </ol>
      <Problem error={deploy.error() ?? refused()} />
      <Show when={started()}>{(deployment) => <Started deployment={deployment()} />}</Show>
      <Show when={arrived() || devices.length > 0} fallback={<Loading />}>
        <Show
          when={devices.length > 0}
          fallback={<Empty title={t('show.empty')} lead={t('show.emptyLead')} />}
        >
          <div class="show-bar">
            <Legend />
            <fieldset class="show-acts" aria-label={t('show.all')}>
              <span class="small soft" aria-hidden="true">
                {t('show.all')}
              </span>
              <button type="button" class="button slim" onClick={() => act('cut_network', all())}>
                {t('show.act.cut_network')}
              </button>
              <button type="button" class="button slim" onClick={() => act('pull_plug', all())}>
                {t('show.act.pull_plug')}
              </button>
              <button
                type="button"
                class="button slim"
                onClick={() => act(anySlow() ? 'full_speed' : 'slow_down', all())}
              >
                {t(anySlow() ? 'show.act.full_speed' : 'show.act.slow_down')}
              </button>
            </fieldset>
          </div>
          <ul class="show-devices" aria-label={t('devices.title')}>
            <For each={devices}>{(device) => <DeviceRow device={device} nowMs={now()} act={act} />}</For>
          </ul>
          <p class="unseen" aria-live="polite">
            <Show when={news()}>{(latest) => `${latest().id}: ${noteText(latest().note)}`}</Show>
          </p>
        </Show>
      </Show>
    </>
  );
}

/** Break virtual devices in the middle of an update and watch them go on; only under `npm start`. */
export default function ShowPage(): JSX.Element {
  return (
    <Show when={!user() || user()?.show} fallback={<NotFoundPage />}>
      <Allowed to="admin" fleet page>
        <Stage />
      </Allowed>
    </Show>
  );
}
