import { A, useSearchParams } from '@solidjs/router';
import { createSignal, For, type JSX, Show } from 'solid-js';
import { api, type Certificate } from '../../api.ts';
import { t, tMaybe } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { Paged } from '../../parts/loaded.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { pageOf, textOf } from '../../parts/params.ts';
import { SearchField } from '../../parts/search-field.tsx';
import { Ago } from '../../parts/time.tsx';
import { StatusMark, statuses, statusWord } from './status.tsx';
import { TokenDialog } from './token-dialog.tsx';

const pageSize = 100;
/** When the webhook calls a device's expiry to attention. */
const expiryDays = [3, 14, 30];

function CertificateTable(props: { certificates: Certificate[]; stale: boolean }): JSX.Element {
  return (
    <div class="table-wrap">
      <table classList={{ stale: props.stale }}>
        <caption class="unseen">{t('certificates.title')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('certificates.name')}</th>
            <th scope="col">{t('certificates.status')}</th>
            <th scope="col">{t('certificates.notAfter')}</th>
            <th scope="col" class="mid">
              {t('certificates.profile')}
            </th>
            <th scope="col" class="wide">
              {t('certificates.serial')}
            </th>
          </tr>
        </thead>
        <tbody>
          <For each={props.certificates}>
            {(certificate) => (
              <tr class="row">
                <td>
                  <A class="row-link" href={`/certificates/${certificate.serial}`}>
                    {certificate.commonName}
                  </A>
                </td>
                <td class="tight">
                  <StatusMark status={certificate.status} />
                </td>
                <td class="tight">
                  <Ago at={certificate.notAfter} />
                </td>
                <td class="mid soft">
                  {tMaybe(`certProfile.${certificate.profile}`) ?? certificate.profile}
                </td>
                <td class="wide soft">
                  <code>{certificate.serial}</code>
                </td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  );
}

export default function CertificatesPage(): JSX.Element {
  const [params, setParams] = useSearchParams();
  const [issuing, setIssuing] = createSignal(false);
  const page = () => pageOf(params.page);
  const filter = () => ({
    search: textOf(params.search),
    status: textOf(params.status),
    expiresWithinDays: textOf(params.days),
  });
  const load = createLoad(
    () => ({ ...filter(), limit: pageSize, offset: (page() - 1) * pageSize }),
    (query, signal) => api.listCertificates(query, signal),
    'serial',
  );
  const narrowed = () => Object.values(filter()).some(Boolean);
  const issue = () => (
    <button type="button" class="button primary" onClick={() => setIssuing(true)}>
      {t('certificates.issueToken')}
    </button>
  );

  return (
    <>
      <Head title={t('certificates.title')} actions={issue()} />
      <search class="tools" aria-label={t('certificates.filters')}>
        <SearchField
          main
          label={t('certificates.search')}
          value={filter().search}
          onSearch={(text) => setParams({ search: text, page: undefined }, { replace: true })}
        />
        <select
          class="input"
          aria-label={t('certificates.status')}
          onChange={(event) => setParams({ status: event.currentTarget.value, page: undefined })}
        >
          <option value="">{t('certificates.anyStatus')}</option>
          <For each={statuses}>
            {(status) => (
              <option value={status} selected={status === filter().status}>
                {statusWord(status)}
              </option>
            )}
          </For>
        </select>
        <select
          class="input"
          aria-label={t('certificates.expiry')}
          onChange={(event) => setParams({ days: event.currentTarget.value, page: undefined })}
        >
          <option value="">{t('certificates.anyExpiry')}</option>
          <For each={expiryDays}>
            {(days) => (
              <option value={days} selected={String(days) === filter().expiresWithinDays}>
                {t('certificates.within', { n: days })}
              </option>
            )}
          </For>
        </select>
      </search>
      <Paged
        load={load}
        page={page()}
        pageSize={pageSize}
        onPage={(next) => setParams({ page: next })}
        empty={
          <Show
            when={narrowed()}
            fallback={<Empty title={t('certificates.empty')} lead={t('certificates.emptyLead')} />}
          >
            <Empty title={t('certificates.noMatch')} lead={t('devices.noMatchLead')} />
          </Show>
        }
      >
        {(items) => <CertificateTable certificates={items()} stale={load.loading} />}
      </Paged>
      <Show when={issuing()}>
        <TokenDialog onClose={() => setIssuing(false)} />
      </Show>
    </>
  );
}
