import { createSignal, type JSX, Show } from 'solid-js';
import { t } from '../../i18n/i18n.ts';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TextField } from '../../parts/text-field.tsx';
import {
  type NewStatement,
  type VexStatus,
  type Vulnerability,
  vulnerabilityApi,
} from '../../vulnerability-api.ts';
import { assessmentWord } from './assessment.tsx';

const statuses: VexStatus[] = ['affected', 'not_affected', 'fixed', 'under_investigation'];
const reasons = [
  'component_not_present',
  'vulnerable_code_not_present',
  'vulnerable_code_not_in_execute_path',
  'vulnerable_code_cannot_be_controlled_by_adversary',
  'inline_mitigations_already_exist',
] as const satisfies NonNullable<NewStatement['justification']>[];

export function AssessDialog(props: { of: Vulnerability; onClose: () => void }): JSX.Element {
  const [status, setStatus] = createSignal<VexStatus>('affected');
  const assess = (fields: FormData) => {
    const text = (name: string) => String(fields.get(name) ?? '').trim();
    return vulnerabilityApi.state(props.of.vulnerability, {
      firmwareId: text('firmware') || null,
      status: status(),
      justification: (text('justification') || null) as NewStatement['justification'],
      note: text('note'),
    });
  };
  return (
    <FormDialog
      title={t('vuln.assessTitle', { name: props.of.vulnerability })}
      lead={t('vuln.assessLead')}
      act={assess}
      actLabel={t('vuln.assess')}
      onClose={props.onClose}
    >
      <SelectField
        name="status"
        label={t('vuln.status')}
        options={statuses.map((value) => ({ value, label: assessmentWord(value) }))}
        value={status()}
        onChange={(value) => setStatus(value as VexStatus)}
      />
      <Show when={status() === 'not_affected'}>
        <SelectField
          name="justification"
          label={t('vuln.justification')}
          all={t('vuln.noJustification')}
          options={reasons.map((value) => ({ value, label: t(`vuln.why.${value}`) }))}
          value=""
        />
      </Show>
      <SelectField
        name="firmware"
        label={t('vuln.scope')}
        all={t('vuln.everyFirmware')}
        options={props.of.findings.map((one) => ({
          value: one.firmwareId,
          label: `${one.firmware} ${one.firmwareVersion}`,
        }))}
        value=""
      />
      <TextField name="note" label={t('vuln.note')} hint={t('vuln.noteHint')} rows={3} maxLength={2_000} />
    </FormDialog>
  );
}
