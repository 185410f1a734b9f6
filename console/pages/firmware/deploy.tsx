import { useNavigate, useParams } from '@solidjs/router';
import { createSignal, type JSX } from 'solid-js';
import { api, type FirmwareDetails } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Head } from '../../parts/page.tsx';
import { createChoices } from './choice.ts';
import { DeploySummary } from './deploy-summary.tsx';
import { DevicePicker, GroupPicker } from './pickers.tsx';

function DeployForm(props: { firmware: FirmwareDetails }): JSX.Element {
  const navigate = useNavigate();
  const choices = createChoices();
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal<unknown>();
  const dryRun = createLoad(
    () => (choices.isEmpty() ? null : choices.toSelection(props.firmware.id)),
    (selection, signal) => api.dryRun(selection, signal),
    'device',
  );

  const request = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const deployment = await api.createDeployment(choices.toSelection(props.firmware.id));
      navigate(`/deployments/${deployment.id}`);
    } catch (cause) {
      setError(cause);
    } finally {
      setBusy(false);
    }
  };

  return (
    <div class="deploy">
      <div>
        <GroupPicker
          kind="regions"
          title={t('deploy.regions')}
          searchLabel={t('deploy.searchRegions')}
          none={t('deploy.noRegions')}
          load={api.listRegions}
          choices={choices}
        />
        <GroupPicker
          kind="divisions"
          title={t('deploy.divisions')}
          searchLabel={t('deploy.searchDivisions')}
          none={t('deploy.noDivisions')}
          load={api.listDivisions}
          choices={choices}
        />
        <DevicePicker hardware={props.firmware.hardware} choices={choices} />
      </div>
      <DeploySummary
        firmware={props.firmware}
        choices={choices}
        dryRun={dryRun}
        busy={busy()}
        error={error()}
        onRequest={request}
      />
    </div>
  );
}

export default function DeployPage(): JSX.Element {
  const params = useParams();
  const load = createLoad(
    () => params.id,
    (id, signal) => api.getFirmware(id, signal),
  );
  useLive('firmware', () => params.id, load.refetch);
  const lead = (firmware: FirmwareDetails) =>
    `${t('deploy.lead')} ${firmware.hardware ? t('deploy.hardwareOnly', { hardware: firmware.hardware }) : ''}`;

  return (
    <Loaded load={load}>
      {(firmware) => (
        <>
          <Head
            title={t('deploy.title', { name: firmware().name, version: firmware().version })}
            lead={lead(firmware())}
          />
          <DeployForm firmware={firmware()} />
        </>
      )}
    </Loaded>
  );
}
