import { useParams } from '@solidjs/router';
import { For, type JSX, Show } from 'solid-js';
import { api, type Device } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Digest } from '../../parts/digest.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { Online } from '../../parts/online.tsx';
import { Fact, Facts, Head } from '../../parts/page.tsx';
import { Glyph } from '../../parts/state.tsx';
import { Ago, nowMs, When } from '../../parts/time.tsx';

const soonMs = 30 * 24 * 3600 * 1000;

function CertificateMark(props: { notAfter: string }): JSX.Element {
  const left = () => Date.parse(props.notAfter) - nowMs();
  return (
    <Show
      when={left() < soonMs}
      fallback={
        <span class="state tone-good">
          <Glyph path="M1.5 6.5 4.5 9.5 10.5 2.5" />
          <span class="word">{t('device.certValid')}</span>
        </span>
      }
    >
      <span class="state tone-bad">
        <Glyph path={left() < 0 ? 'M2 2l8 8M10 2l-8 8' : 'M6 1.5v5M6 10h.01'} />
        <span class="word">{left() < 0 ? t('device.certExpired') : t('device.certSoon')}</span>
      </span>
    </Show>
  );
}

function Identity(props: { device: Device }): JSX.Element {
  return (
    <Facts>
      <Fact name={t('device.id')}>
        <code>{props.device.id}</code>
      </Fact>
      <Fact name={t('devices.hardware')}>{props.device.hardware}</Fact>
      <Fact name={t('devices.region')}>{props.device.region?.name ?? t('common.none')}</Fact>
      <Fact name={t('devices.division')}>{props.device.division?.name ?? t('common.none')}</Fact>
      <Fact name={t('device.registered')}>
        <When at={props.device.createdAt} />
      </Fact>
    </Facts>
  );
}

function Recent(props: { device: Device }): JSX.Element {
  return (
    <Facts>
      <Show when={props.device.online && props.device.connectedAt}>
        {(at) => (
          <Fact name={t('device.connectedSince')}>
            <When at={at()} />
          </Fact>
        )}
      </Show>
      <Fact name={t('devices.seen')}>
        <Show when={props.device.lastSeenAt} fallback={t('common.never')}>
          {(at) => <Ago at={at()} />}
        </Show>
      </Fact>
    </Facts>
  );
}

function RunningTable(props: { device: Device }): JSX.Element {
  return (
    <div class="table-wrap">
      <table>
        <thead>
          <tr>
            <th scope="col">{t('firmware.component')}</th>
            <th scope="col">{t('firmware.version')}</th>
            <th scope="col" class="num">
              {t('firmware.securityVersion')}
            </th>
            <th scope="col" class="mid">
              SHA-256
            </th>
          </tr>
        </thead>
        <tbody>
          <For each={props.device.running}>
            {(one) => (
              <tr>
                <td>{one.component}</td>
                <td>{one.version}</td>
                <td class="num">{one.securityVersion}</td>
                <td class="mid">
                  <Digest sha256={one.sha256} />
                </td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  );
}

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
          />
          <div class="columns">
            <section aria-labelledby="identity">
              <h2 id="identity">{t('device.identity')}</h2>
              <Identity device={device()} />
            </section>
            <section aria-labelledby="certificate">
              <h2 id="certificate">{t('device.certificate')}</h2>
              <Show
                when={device().certificate}
                fallback={<p class="prose soft">{t('device.noCertificate')}</p>}
              >
                {(certificate) => (
                  <Facts>
                    <Fact name={t('device.serial')}>
                      <code>{certificate().serial}</code>
                    </Fact>
                    <Fact name={t('device.notAfter')}>
                      <When at={certificate().notAfter} /> (<Ago at={certificate().notAfter} />)
                    </Fact>
                    <Fact name={t('deployments.state')}>
                      <CertificateMark notAfter={certificate().notAfter} />
                    </Fact>
                  </Facts>
                )}
              </Show>
            </section>
          </div>
          <section aria-labelledby="running">
            <h2 id="running">{t('device.runningTitle')}</h2>
            <Show
              when={device().running.length > 0}
              fallback={<p class="prose soft">{t('device.nothingRunning')}</p>}
            >
              <RunningTable device={device()} />
            </Show>
          </section>
          <section aria-labelledby="recent">
            <h2 id="recent">{t('device.recent')}</h2>
            <Recent device={device()} />
          </section>
        </>
      )}
    </Loaded>
  );
}
