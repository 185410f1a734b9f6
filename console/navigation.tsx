import { A, useLocation } from '@solidjs/router';
import { createEffect, createSignal, type JSX, on, Show } from 'solid-js';
import { t } from './i18n/i18n.ts';
import { may, user } from './session.ts';

/** The pages. On a phone the first four stand below, and the others open above them. */
export function Navigation(): JSX.Element {
  const location = useLocation();
  const [open, setOpen] = createSignal(false);
  createEffect(
    on(
      () => location.pathname,
      () => setOpen(false),
    ),
  );
  const isInMore = () => /^\/(certificates|system|show)/.test(location.pathname);
  return (
    <nav
      class="nav"
      aria-label={t('nav.label')}
      onKeyDown={(event) => event.key === 'Escape' && setOpen(false)}
    >
      <A href="/" end>
        {t('nav.overview')}
      </A>
      <A href="/firmware">{t('nav.firmware')}</A>
      <A href="/deployments">{t('nav.deployments')}</A>
      <A href="/devices">{t('nav.devices')}</A>
      <button
        type="button"
        class="more"
        classList={{ active: isInMore() }}
        aria-expanded={open()}
        onClick={() => setOpen(!open())}
      >
        {t('nav.more')}
      </button>
      <div class="others" classList={{ open: open() }}>
        <A href="/certificates">{t('nav.certificates')}</A>
        <A href="/system">{t('nav.system')}</A>
        {/* What is built for production has neither the page nor its words, whoever serves it. */}
        <Show when={import.meta.env.MODE !== 'production' && user()?.show && may('admin')}>
          <A href="/show">{t('nav.show')}</A>
        </Show>
      </div>
    </nav>
  );
}
