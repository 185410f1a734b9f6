import { A } from '@solidjs/router';
import { createSignal, For, type JSX, Show } from 'solid-js';
import { api, type Device, type Grant, type Token } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { OnceToken } from '../../parts/once-token.tsx';
import { Ago, nowMs, When } from '../../parts/time.tsx';
import { RevokeDialog } from '../certificates/revoke-dialog.tsx';
import { StatusMark } from '../certificates/status.tsx';

/** From so long before its end a device renews its certificate by itself. */
const soonMs = 30 * 24 * 3600 * 1000;

/** For a device that had certificates, a grant to renew; for one that never had any, the token for its first. */
function TokenDialog(props: { device: string; first: boolean; onClose: () => void }): JSX.Element {
  const [grant, setGrant] = createSignal<Grant | Token>();
  const kind = () => (props.first ? 'firstToken' : 'grant');
  const make = () =>
    props.first
      ? api.createToken({ profile: 'device', commonName: props.device, names: [] })
      : api.createGrant(props.device);
  return (
    <Show
      when={grant()}
      fallback={
        <FormDialog
          title={t(`${kind()}.title`)}
          lead={t(`${kind()}.lead`)}
          act={async () => setGrant(await make())}
          actLabel={t('grant.create')}
          onClose={() => grant() || props.onClose()}
        />
      }
    >
      {(issued) => (
        <Dialog title={t(`${kind()}.title`)} onClose={props.onClose}>
          {(close) => <OnceToken {...issued()} onClose={close} />}
        </Dialog>
      )}
    </Show>
  );
}

/** All certificates of a device, the one in use first named with what is left of it; renewal and revocation. */
export function DeviceCertificates(props: { device: Device }): JSX.Element {
  const [asking, setAsking] = createSignal<'token' | { revoke: string }>();
  const load = createLoad(
    () => props.device.id,
    (commonName, signal) => api.listCertificates({ commonName, limit: 20 }, signal),
    'serial',
  );
  useLive('device', () => props.device.id, load.refetch);
  const leftMs = () => Date.parse(props.device.certificate!.notAfter) - nowMs();
  const first = () => load.data?.total === 0;
  const close = () => {
    setAsking(undefined);
    load.refetch();
  };

  return (
    <>
      <Show when={props.device.certificate} fallback={<p class="prose soft">{t('device.noCertificate')}</p>}>
        {(certificate) => (
          <p class="prose" classList={{ alarm: leftMs() < soonMs }}>
            {leftMs() < 0
              ? t('device.certExpired')
              : leftMs() < soonMs
                ? t('device.certSoon')
                : t('device.certValid')}
            {' · '}
            {t('device.notAfter')} <When at={certificate().notAfter} /> (<Ago at={certificate().notAfter} />)
          </p>
        )}
      </Show>
      <Loaded load={load}>
        {(data) => (
          <ul class="certificate-list">
            <For each={data().items}>
              {(certificate) => (
                <li>
                  <StatusMark status={certificate.status} />
                  <A href={`/certificates/${certificate.serial}`} title={certificate.serial}>
                    <code>{certificate.serial.slice(0, 16)}…</code>
                  </A>
                  <span class="soft small">
                    <Ago at={certificate.issuedAt} />
                  </span>
                  <Show when={!certificate.revocation && certificate.status !== 'expired'}>
                    <Allowed to="admin">
                      <button
                        type="button"
                        class="plain link small"
                        aria-label={`${t('certificate.revoke')} ${certificate.serial}`}
                        onClick={() => setAsking({ revoke: certificate.serial })}
                      >
                        {t('certificate.revoke')}
                      </button>
                    </Allowed>
                  </Show>
                </li>
              )}
            </For>
          </ul>
        )}
      </Loaded>
      <Allowed to="admin" fleet={first()}>
        <button type="button" class="plain link" disabled={!load.data} onClick={() => setAsking('token')}>
          {t(first() ? 'firstToken.open' : 'grant.open')}
        </button>
      </Allowed>
      <Show when={!first()}>
        <p class="hint">{t('device.renewsItself')}</p>
      </Show>
      <Show when={asking() === 'token'}>
        <TokenDialog device={props.device.id} first={first()} onClose={close} />
      </Show>
      <Show when={(asking() as { revoke: string } | undefined)?.revoke}>
        {(serial) => <RevokeDialog serial={serial()} onClose={close} />}
      </Show>
    </>
  );
}
