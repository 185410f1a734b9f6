import { For, type JSX, Show } from 'solid-js';
import { createAct } from '../../act.ts';
import { api, type FirmwarePatches } from '../../api.ts';
import { formatBytes, formatShare } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { TableHead } from '../../parts/data-table.tsx';
import { Problem } from '../../parts/notes.tsx';

type Patch = FirmwarePatches['items'][number];

/** What makes this firmware out of those that devices run, and its compressed image. */
export function Patches(props: { firmwareId: string }): JSX.Element {
  const load = createLoad(
    () => props.firmwareId,
    (id, signal) => api.listPatches(id, signal),
  );
  const making = createAct(async (id: string) => {
    await api.makePatches(id);
    load.refetch();
  });
  useLive('firmware', () => props.firmwareId, load.refetch);
  const from = ({ base, baseFirmware }: Patch) => {
    if (base === null) return t('firmware.patchNothing');
    return baseFirmware ? `${baseFirmware.name} ${baseFirmware.version}` : base.slice(0, 16);
  };
  return (
    <>
      <p class="hint">{t('firmware.patchesLead')}</p>
      <Show when={load.data?.items.length ? load.data : null}>
        {(patches) => (
          <div class="table-wrap">
            <table data-testid="patches">
              <TableHead
                caption={t('firmware.patches')}
                columns={[
                  { head: t('firmware.patchFrom') },
                  { head: t('firmware.patchState') },
                  { head: t('firmware.size') },
                ]}
              />
              <tbody>
                <For each={patches().items}>
                  {(patch) => (
                    <tr>
                      <td>{from(patch)}</td>
                      <td>{t(`firmware.patch.${patch.state}`)}</td>
                      <td>
                        {patch.sizeBytes === null
                          ? '–'
                          : `${formatBytes(language(), patch.sizeBytes)} (${formatShare(language(), patch.sizeBytes / patches().sizeBytes)})`}
                      </td>
                    </tr>
                  )}
                </For>
              </tbody>
            </table>
          </div>
        )}
      </Show>
      <Problem error={making.error()} />
      <Allowed to="operator" fleet>
        <button type="button" class="button" onClick={() => making.run(props.firmwareId)}>
          {t('firmware.patchesMake')}
        </button>
      </Allowed>
    </>
  );
}
