import { A, useLocation } from '@solidjs/router';
import { type JSX, Show } from 'solid-js';
import { t } from '../i18n/i18n.ts';
import { Head } from './page.tsx';

const lists = ['firmware', 'deployments', 'devices', 'certificates'] as const;

/** A page for what is not there, or no longer: with the way to the list that it would be in. */
export function Missing(): JSX.Element {
  const location = useLocation();
  const list = () => lists.find((name) => location.pathname.startsWith(`/${name}`));
  return (
    <div data-testid="missing">
      <Head title={t('notFound.title')} lead={t('notFound.lead')} />
      <Show
        when={list()}
        fallback={
          <A class="button" href="/">
            {t('nav.overview')}
          </A>
        }
      >
        {(name) => (
          <A class="button" href={`/${name()}`}>
            {t(`nav.${name()}`)}
          </A>
        )}
      </Show>
    </div>
  );
}
