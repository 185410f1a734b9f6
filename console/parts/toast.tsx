import { render } from 'solid-js/web';
import { t } from '../i18n/i18n.ts';
import { theme } from '../settings.ts';
import { describeError } from './error-text.ts';

const shownMs = 8_000;
type Toasts = typeof import('solid-sonner');
let toasts: Promise<Toasts> | null = null;

/** Beside all pages, so that it stays when one leaves the page on which something was done. */
async function open(): Promise<Toasts> {
  const found = await import('solid-sonner');
  const host = document.body.appendChild(document.createElement('div'));
  render(
    () => (
      <found.Toaster
        theme={theme()}
        position="bottom-right"
        mobileOffset={{ bottom: '64px' }}
        containerAriaLabel={t('toast.label')}
      />
    ),
    host,
  );
  return found;
}

/** Says what was done, for a while, with the way to undo it where there is one. */
export async function told(text: string, undo?: () => Promise<unknown>): Promise<void> {
  toasts ??= open();
  // Without its files nothing is said; what was done is seen on the page.
  const found = await toasts.catch(() => null);
  if (!found) {
    toasts = null;
    return;
  }
  const { toast } = found;
  const back = () =>
    undo!().then(
      () => toast(t('toast.undone')),
      (error) => toast.error(describeError(error)),
    );
  toast(text, { duration: shownMs, ...(undo && { action: { label: t('toast.undo'), onClick: back } }) });
}
