import { A } from '@solidjs/router';
import { createMemo, createSignal, type JSX, Show } from 'solid-js';
import { api, type Certificate } from '../../api.ts';
import { t, tMaybe } from '../../i18n/i18n.ts';
import { createList } from '../../list.ts';
import { Allowed } from '../../parts/allowed.tsx';
import type { Column } from '../../parts/data-table.tsx';
import { ListPage } from '../../parts/list-page.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Select } from '../../parts/select.tsx';
import { Ago } from '../../parts/time.tsx';
import { StatusMark, statuses, statusWord } from './status.tsx';
import { TokenDialog } from './token-dialog.tsx';

/** When the webhook calls a device's expiry to attention. */
const expiryDays = [3, 14, 30];

const describeColumns = (): Column<Certificate>[] => [
  {
    head: t('certificates.name'),
    cell: (certificate) => (
      <A class="row-link" href={`/certificates/${certificate.serial}`}>
        {certificate.commonName}
      </A>
    ),
  },
  {
    head: t('certificates.status'),
    class: 'tight',
    cell: (certificate) => <StatusMark status={certificate.status} />,
  },
  {
    head: t('certificates.notAfter'),
    class: 'tight',
    cell: (certificate) => <Ago at={certificate.notAfter} />,
  },
  {
    head: t('certificates.profile'),
    class: 'mid soft',
    cell: (certificate) => tMaybe(`certProfile.${certificate.profile}`) ?? certificate.profile,
  },
  {
    head: t('certificates.serial'),
    class: 'wide soft',
    cell: (certificate) => <code>{certificate.serial}</code>,
  },
];

export default function CertificatesPage(): JSX.Element {
  const [issuing, setIssuing] = createSignal(false);
  const list = createList({
    filters: ['search', 'status', 'expiresWithinDays'],
    fetch: api.listCertificates,
    pageSize: 100,
    key: 'serial',
  });
  const columns = createMemo(describeColumns);
  return (
    <>
      <ListPage
        title={t('certificates.title')}
        actions={
          <Allowed to="admin" fleet>
            <button type="button" class="button primary" onClick={() => setIssuing(true)}>
              {t('certificates.issueToken')}
            </button>
          </Allowed>
        }
        list={list}
        searchLabel={t('certificates.search')}
        filters={
          <>
            <Select
              label={t('certificates.status')}
              all={t('certificates.anyStatus')}
              options={statuses.map((status) => ({ value: status, label: statusWord(status) }))}
              value={list.value('status')}
              onChange={(status) => list.set({ status })}
            />
            <Select
              label={t('certificates.expiry')}
              all={t('certificates.anyExpiry')}
              options={expiryDays.map((days) => ({
                value: String(days),
                label: t('certificates.within', { n: days }),
              }))}
              value={list.value('expiresWithinDays')}
              onChange={(expiresWithinDays) => list.set({ expiresWithinDays })}
            />
          </>
        }
        columns={columns()}
        noMatch={t('certificates.noMatch')}
        empty={<Empty title={t('certificates.empty')} lead={t('certificates.emptyLead')} />}
      />
      <Show when={issuing()}>
        <TokenDialog onClose={() => setIssuing(false)} />
      </Show>
    </>
  );
}
