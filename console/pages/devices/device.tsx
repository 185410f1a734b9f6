import { useParams } from '@solidjs/router';
import { type JSX, lazy, Suspense } from 'solid-js';
import { api } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Loading } from '../../parts/notes.tsx';
import { Online } from '../../parts/online.tsx';
import { Head } from '../../parts/page.tsx';
import { Commands } from './commands.tsx';
import { DeviceActs } from './device-acts.tsx';
import { DeviceCertificates } from './device-certificates.tsx';
import { History } from './history.tsx';
import { Identity } from './identity.tsx';
import { Logs } from './logs.tsx';
import { Running } from './running.tsx';

/** The charts bring a library with them that nothing else needs. */
const Charts = lazy(() => import('./charts.tsx'));

export default function DevicePage(): JSX.Element {
  const params = useParams();
  const load = createLoad(
    () => params.id,
    (id, signal) => api.getDevice(id, signal),
  );
  useLive('device', () => params.id, load.refetch);

  return (
    <Loaded load={load}>
      {(device) => (
        <>
          <Head
            title={device().name || device().id}
            lead={<Online online={device().online} lastSeenAt={device().lastSeenAt} />}
            actions={<DeviceActs device={device()} onDone={load.refetch} />}
          />
          <div class="columns">
            <section aria-labelledby="identity">
              <h2 id="identity">{t('device.identity')}</h2>
              <Identity device={device()} />
            </section>
            <div>
              <section aria-labelledby="certificate">
                <h2 id="certificate">{t('device.certificate')}</h2>
                <DeviceCertificates device={device()} />
              </section>
              <section aria-labelledby="commands">
                <h2 id="commands">{t('device.commands')}</h2>
                <Commands device={device()} />
              </section>
            </div>
          </div>
          <section aria-labelledby="running">
            <h2 id="running">{t('device.runningTitle')}</h2>
            <Running device={device()} />
          </section>
          <section aria-labelledby="history">
            <h2 id="history">{t('device.history')}</h2>
            <History device={device().id} />
          </section>
          <section aria-labelledby="charts">
            <h2 id="charts">{t('device.charts')}</h2>
            <Suspense fallback={<Loading />}>
              <Charts device={device().id} />
            </Suspense>
          </section>
          <section aria-labelledby="logs">
            <h2 id="logs">{t('device.logs')}</h2>
            <Logs device={device().id} />
          </section>
        </>
      )}
    </Loaded>
  );
}
