import type { JSX } from 'solid-js';
import type { NewCommand } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { TextField } from '../../parts/text-field.tsx';

export const namePattern = /^[a-z][a-z0-9_.-]{0,63}$/;

/** Nothing typed is no arguments; null when it is not a JSON object. */
export function readArgs(text: string): NewCommand['args'] | null {
  if (text.trim() === '') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return value && typeof value === 'object' && !Array.isArray(value) ? (value as NewCommand['args']) : null;
  } catch {
    return null;
  }
}

/** Name and arguments of a command as they are typed. */
export function CommandFields(props: {
  name: string;
  args: string;
  setName: (name: string) => void;
  setArgs: (args: string) => void;
}): JSX.Element {
  return (
    <>
      <TextField
        name="command"
        label={t('command.name')}
        hint={t('command.nameHint')}
        value={props.name}
        wrong={props.name && !namePattern.test(props.name) ? t('command.nameWrong') : null}
        maxLength={64}
        onInput={props.setName}
      />
      <TextField
        name="args"
        label={t('command.args')}
        hint={t('command.argsHint')}
        value={props.args}
        wrong={readArgs(props.args) === null ? t('command.argsWrong') : null}
        maxLength={3000}
        onInput={props.setArgs}
      />
    </>
  );
}
