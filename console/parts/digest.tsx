import { createSignal, type JSX } from 'solid-js';
import { t } from '../i18n/i18n.ts';

/** A button that copies a text. */
export function Copied(props: { text: string }): JSX.Element {
  const [copied, setCopied] = createSignal(false);
  const copy = async () => {
    // Outside secure contexts there is no clipboard; the text can still be selected.
    await navigator.clipboard?.writeText(props.text);
    setCopied(Boolean(navigator.clipboard));
    setTimeout(() => setCopied(false), 2_000);
  };
  return (
    <button type="button" class="plain link small" onClick={copy}>
      <span aria-live="polite">{copied() ? t('common.copied') : t('common.copy')}</span>
    </button>
  );
}

/** A SHA-256 in full, with a button that copies it. */
export function Digest(props: { sha256: string }): JSX.Element {
  return (
    <>
      <code class="digest">{props.sha256}</code> <Copied text={props.sha256} />
    </>
  );
}
