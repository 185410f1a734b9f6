import { A, useParams } from '@solidjs/router';
import { createSignal, type JSX, Show } from 'solid-js';
import { api, type CertificateDetails } from '../../api.ts';
import { t, tMaybe } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { Fact, Facts, Head } from '../../parts/page.tsx';
import { Ago, When } from '../../parts/time.tsx';
import { RevokeDialog, reasonWord } from './revoke-dialog.tsx';
import { StatusMark } from './status.tsx';

function CertificateFacts(props: { certificate: CertificateDetails }): JSX.Element {
  return (
    <Facts>
      <Fact name={t('certificates.serial')}>
        <code>{props.certificate.serial}</code>
      </Fact>
      <Fact name={t('certificates.name')}>
        <Show when={props.certificate.profile === 'device'} fallback={props.certificate.commonName}>
          <A href={`/devices/${encodeURIComponent(props.certificate.commonName)}`}>
            {props.certificate.commonName}
          </A>
        </Show>
      </Fact>
      <Fact name={t('certificates.profile')}>
        {tMaybe(`certProfile.${props.certificate.profile}`) ?? props.certificate.profile}
      </Fact>
      <Fact name={t('certificate.notBefore')}>
        <When at={props.certificate.notBefore} />
      </Fact>
      <Fact name={t('certificates.notAfter')}>
        <When at={props.certificate.notAfter} /> (<Ago at={props.certificate.notAfter} />)
      </Fact>
      <Fact name={t('certificate.renewable')}>
        <When at={props.certificate.renewableFrom} />
      </Fact>
      <Fact name={t('certificate.firstSeen')}>
        <Show when={props.certificate.firstSeenAt} fallback={t('common.never')}>
          {(at) => <When at={at()} />}
        </Show>
      </Fact>
      <Show when={props.certificate.revocation}>
        {(revocation) => (
          <Fact name={t('certificate.revoked')}>
            <When at={revocation().at} /> ·{' '}
            {t('certificate.revokedBy', { reason: reasonWord(revocation().reason), who: revocation().by })} ·{' '}
            {revocation().inCrl ? t('certificate.inCrl') : t('certificate.notInCrl')}
          </Fact>
        )}
      </Show>
    </Facts>
  );
}

export default function CertificatePage(): JSX.Element {
  const params = useParams();
  const [revoking, setRevoking] = createSignal(false);
  const load = createLoad(
    () => params.serial,
    (serial, signal) => api.getCertificate(serial, signal),
    'serial',
  );
  const file = (certificate: CertificateDetails) =>
    `data:application/x-pem-file,${encodeURIComponent(certificate.certificate + certificate.chain)}`;

  return (
    <Loaded load={load}>
      {(certificate) => (
        <>
          <Head
            title={t('certificate.title', { name: certificate().commonName })}
            lead={<StatusMark status={certificate().status} />}
            actions={
              <>
                <a class="button" href={file(certificate())} download={`${certificate().commonName}.pem`}>
                  {t('certificate.download')}
                </a>
                <Show when={!certificate().revocation && certificate().status !== 'expired'}>
                  <Allowed to="admin">
                    <button type="button" class="button danger" onClick={() => setRevoking(true)}>
                      {t('certificate.revoke')}
                    </button>
                  </Allowed>
                </Show>
              </>
            }
          />
          <CertificateFacts certificate={certificate()} />
          <Show when={revoking()}>
            <RevokeDialog
              serial={certificate().serial}
              onClose={() => {
                setRevoking(false);
                load.refetch();
              }}
            />
          </Show>
        </>
      )}
    </Loaded>
  );
}
