import { A } from '@solidjs/router';
import type { JSX } from 'solid-js';
import { t } from '../i18n/i18n.ts';
import { Head } from '../parts/page.tsx';

export default function NotFoundPage(): JSX.Element {
  return (
    <>
      <Head title={t('notFound.title')} lead={t('notFound.lead')} />
      <A class="button" href="/firmware">
        {t('nav.firmware')}
      </A>
    </>
  );
}
