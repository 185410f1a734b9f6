import { A, useParams } from '@solidjs/router';
import { createMemo, type JSX, Show } from 'solid-js';
import type { Evidence } from '#webhook/vulnerabilities/evidence.ts';
import { t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { Fact, Facts, Head } from '../../parts/page.tsx';
import { When } from '../../parts/time.tsx';
import { type SignedEvidence, vulnerabilityApi } from '../../vulnerability-api.ts';

/** The rest is in the file. */
const shownStays = 500;

const describeFirmwares = (): Column<Evidence['firmwares'][number]>[] => [
  { head: t('vuln.firmwares'), cell: (one) => `${one.name} ${one.version}` },
  { head: t('vuln.by'), cell: (one) => one.author },
  { head: t('vuln.at'), class: 'mid', cell: (one) => <When at={one.registeredAt} /> },
  { head: 'SHA-256', class: 'wide soft', cell: (one) => <code>{one.sha256.slice(0, 16)}</code> },
];
const describeDeployments = (): Column<Evidence['deployments'][number]>[] => [
  {
    head: t('vuln.firmwares'),
    cell: (one) => (
      <A href={`/deployments/${one.id}`}>
        {one.firmware} {one.version}
      </A>
    ),
  },
  { head: '', cell: (one) => t(one.brings ? 'vuln.brings' : 'vuln.takes') },
  { head: t('vuln.by'), class: 'mid', cell: (one) => one.createdBy },
  { head: t('vuln.at'), class: 'mid', cell: (one) => <When at={one.createdAt} /> },
  {
    head: t('vuln.approval'),
    class: 'wide',
    cell: (one) => (
      <Show when={one.approval?.decision} fallback={t(one.approval ? 'approval.title' : 'vuln.noApproval')}>
        {(decision) => (
          <>
            {t(`approval.${decision().outcome}`, { who: decision().by })} <When at={decision().at} />
            <Show when={decision().reason}>{(reason) => <div class="soft small">{reason()}</div>}</Show>
          </>
        )}
      </Show>
    ),
  },
];
const describeStays = (): Column<Evidence['devices'][number]>[] => [
  {
    head: t('vuln.device'),
    cell: (one) => <A href={`/devices/${encodeURIComponent(one.device)}`}>{one.device}</A>,
  },
  { head: t('vuln.from'), cell: (one) => (one.from ? <When at={one.from} /> : t('vuln.unknownFrom')) },
  { head: t('vuln.until'), cell: (one) => (one.until ? <When at={one.until} /> : t('vuln.running')) },
];

function Report(props: { signed: SignedEvidence }): JSX.Element {
  const evidence = createMemo(() => JSON.parse(props.signed.evidence) as Evidence);
  const columns = createMemo(() => ({
    firmwares: describeFirmwares(),
    deployments: describeDeployments(),
    stays: describeStays(),
  }));
  return (
    <>
      <Facts>
        <Fact name={t('vuln.ever')}>{evidence().summary.devicesEver}</Fact>
        <Fact name={t('vuln.now')}>{evidence().summary.devicesNow}</Fact>
        <Fact name={t('vuln.gone')}>
          <Show when={evidence().summary.goneAt} fallback={t('vuln.notGone')}>
            {(at) => <When at={at()} />}
          </Show>
        </Fact>
        <Fact name={t('vuln.signedAt')}>
          <When at={props.signed.signedAt} />
        </Fact>
        <Fact name="SHA-256">
          <code>{props.signed.sha256}</code>
        </Fact>
      </Facts>
      <section aria-labelledby="made" class="block">
        <h2 id="made">{t('vuln.whoMade')}</h2>
        <DataTable caption={t('vuln.whoMade')} columns={columns().firmwares} rows={evidence().firmwares} />
      </section>
      <section aria-labelledby="deployed" class="block">
        <h2 id="deployed">{t('vuln.whoDeployed')}</h2>
        <DataTable
          caption={t('vuln.whoDeployed')}
          columns={columns().deployments}
          rows={evidence().deployments}
        />
      </section>
      <section aria-labelledby="stays" class="block">
        <h2 id="stays">{t('vuln.stays')}</h2>
        <DataTable
          caption={t('vuln.stays')}
          columns={columns().stays}
          rows={evidence().devices.slice(0, shownStays)}
        />
        <Show when={evidence().devices.length > shownStays}>
          <p class="soft">{t('vuln.moreStays', { n: evidence().devices.length - shownStays })}</p>
        </Show>
      </section>
    </>
  );
}

function Page(): JSX.Element {
  const params = useParams();
  const load = createLoad(
    () => params.id,
    (id, signal) => vulnerabilityApi.makeEvidence(id, signal),
  );
  const file = (signed: SignedEvidence) =>
    URL.createObjectURL(new Blob([JSON.stringify(signed, null, 2)], { type: 'application/json' }));
  return (
    <Loaded load={load}>
      {(signed) => (
        <>
          <Head
            title={t('vuln.evidenceTitle', { name: params.id! })}
            lead={t('vuln.evidenceLead')}
            actions={
              <a class="button primary" href={file(signed())} download={`evidence-${params.id}.json`}>
                {t('vuln.download')}
              </a>
            }
          />
          <Report signed={signed()} />
        </>
      )}
    </Loaded>
  );
}

/** Evidence to be read; each time that it is opened it is made anew, as of now, and signed. */
export default function EvidencePage(): JSX.Element {
  return (
    <Allowed to="operator" fleet page>
      <Page />
    </Allowed>
  );
}
