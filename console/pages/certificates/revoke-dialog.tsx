import { createSignal, type JSX } from 'solid-js';
import { api, type RevocationReason } from '../../api.ts';
import { t, tMaybe } from '../../i18n/i18n.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { SelectField } from '../../parts/select-field.tsx';

/** Every reason (RFC 5280 §5.3.1): the compiler refuses one too many or too few. */
const reasonSet = {
  unspecified: true,
  keyCompromise: true,
  affiliationChanged: true,
  superseded: true,
  cessationOfOperation: true,
  privilegeWithdrawn: true,
} satisfies Record<RevocationReason, true>;

export const reasonWord = (reason: string): string => tMaybe(`revocation.${reason}`) ?? reason;

export function RevokeDialog(props: { serial: string; onClose: () => void }): JSX.Element {
  const [reason, setReason] = createSignal<RevocationReason>('unspecified');
  return (
    <Confirm
      title={t('certificate.revokeTitle')}
      act={() => api.revokeCertificate(props.serial, reason())}
      actLabel={t('certificate.revoke')}
      keepLabel={t('certificate.revokeKeep')}
      onClose={props.onClose}
    >
      <p>{t('certificate.revokeWhat')}</p>
      <SelectField
        name="reason"
        label={t('certificate.reason')}
        options={Object.keys(reasonSet).map((one) => ({ value: one, label: reasonWord(one) }))}
        value={reason()}
        onChange={(value) => setReason(value as RevocationReason)}
      />
    </Confirm>
  );
}
