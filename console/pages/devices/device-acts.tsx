import { useNavigate } from '@solidjs/router';
import { createSignal, type JSX, Match, Show, Switch } from 'solid-js';
import { api, type Device } from '../../api.ts';
import { ApiError } from '../../http.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { EditDialog } from './identity.tsx';

/** What is `in_use` about a device is told apart from what is about a place. */
const sayBusy = (error: unknown): never => {
  if (!(error instanceof ApiError) || error.code !== 'in_use') throw error;
  throw new ApiError('device_updating', error.status, error.detail);
};

/** Change, ban or let back, delete: what an admin may do with a device. */
export function DeviceActs(props: { device: Device; onDone: () => void }): JSX.Element {
  const navigate = useNavigate();
  const [asking, setAsking] = createSignal<'edit' | 'ban' | 'lift' | 'delete'>();
  const bans = createLoad(
    () => true,
    (_, signal) => api.listBans(signal),
    'device',
  );
  useLive('device', () => props.device.id, bans.refetch);
  const ban = () => bans.data?.find((one) => one.device === props.device.id);
  const name = () => props.device.name || props.device.id;
  const close = () => {
    setAsking(undefined);
    bans.refetch();
    props.onDone();
  };
  let gone = false;

  return (
    <>
      <Show when={ban()}>
        {(found) => (
          <p class="alarm banned" title={found().reason}>
            {t('device.banned', { who: found().bannedBy })}
          </p>
        )}
      </Show>
      <Allowed to="admin">
        <button type="button" class="button" onClick={() => setAsking('edit')}>
          {t('device.edit')}
        </button>
        <Show
          when={ban()}
          fallback={
            <button type="button" class="button danger" onClick={() => setAsking('ban')}>
              {t('device.ban')}
            </button>
          }
        >
          <button type="button" class="button" onClick={() => setAsking('lift')}>
            {t('device.lift')}
          </button>
        </Show>
        <button type="button" class="button danger" onClick={() => setAsking('delete')}>
          {t('device.delete')}
        </button>
        <Switch>
          <Match when={asking() === 'edit'}>
            <EditDialog device={props.device} onClose={close} />
          </Match>
          <Match when={asking() === 'ban'}>
            <FormDialog
              danger
              title={t('device.banTitle', { name: name() })}
              lead={t('device.banWhat')}
              act={(fields) => api.banDevice(props.device.id, String(fields.get('reason')).trim())}
              actLabel={t('device.ban')}
              onClose={close}
            >
              <TextField name="reason" label={t('device.banReason')} maxLength={500} />
            </FormDialog>
          </Match>
          <Match when={asking() === 'lift'}>
            <FormDialog
              title={t('device.liftTitle', { name: name() })}
              lead={t('device.liftWhat')}
              act={() => api.liftBan(props.device.id)}
              actLabel={t('device.lift')}
              onClose={close}
            />
          </Match>
          <Match when={asking() === 'delete'}>
            <Confirm
              title={t('device.deleteTitle', { name: name() })}
              of={props.device}
              act={async (seen) => {
                await api.deleteDevice(props.device.id, seen).catch(sayBusy);
                gone = true;
              }}
              actLabel={t('device.delete')}
              keepLabel={t('device.keep')}
              onClose={() => (gone ? navigate('/devices', { replace: true }) : setAsking(undefined))}
            >
              <p>{t('device.deleteWhat')}</p>
            </Confirm>
          </Match>
        </Switch>
      </Allowed>
    </>
  );
}
