import { type JSX, Show } from 'solid-js';
import { t } from '../../i18n/i18n.ts';
import { Picker } from '../../parts/picker.tsx';
import { QueryField } from '../../parts/query-field.tsx';
import { GroupSelect } from '../devices/group-select.tsx';
import { createGroups } from '../devices/groups.tsx';
import type { Choices } from './choice.ts';

/** A query, or a group that has one. */
export function QueryPicker(props: { choices: Choices }): JSX.Element {
  const groups = createGroups();
  const named = () => groups.data?.find(({ name }) => name === props.choices.query().group);
  return (
    <Picker
      title={t('deploy.query')}
      note={props.choices.query().group ?? (props.choices.query().text || undefined)}
      testId="pick-query"
      open={props.choices.query().text !== ''}
    >
      <p class="hint">{t('deploy.queryHint')}</p>
      <Show when={groups.data?.length}>
        <div class="tools">
          <GroupSelect
            groups={groups.data!}
            label={t('groups.label')}
            chosen={named()}
            onChoose={(group) =>
              props.choices.setQuery(group ? { text: group.query, group: group.name } : { text: '' })
            }
          />
        </div>
      </Show>
      <QueryField value={props.choices.query().text} onQuery={(text) => props.choices.setQuery({ text })} />
    </Picker>
  );
}
