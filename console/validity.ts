import { t } from './i18n/i18n.ts';

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

function wordsFor(field: Field): string {
  const { valueMissing, typeMismatch, tooShort } = field.validity;
  if (valueMissing) return t('field.missing');
  if (typeMismatch && field.type === 'email') return t('field.email');
  if (tooShort) return t('field.short', { n: (field as HTMLInputElement).minLength });
  return '';
}

/** Browsers say what is wrong with a field in their own language, which need not be the one that is spoken here. */
export function speakOfFields(): void {
  const reset = (event: Event) => (event.target as Partial<Field>).setCustomValidity?.('');
  document.addEventListener(
    'invalid',
    (event) => {
      reset(event);
      const field = event.target as Field;
      field.setCustomValidity(wordsFor(field));
    },
    true,
  );
  for (const change of ['input', 'change']) document.addEventListener(change, reset, true);
}
