/** What is known of a device, shown and changed. */
import { A } from '@solidjs/router';
import { type JSX, Show } from 'solid-js';
import { api, type Device } from '../../api.ts';
import { asSeen } from '../../as-seen.ts';
import { t } from '../../i18n/i18n.ts';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { Fact, Facts } from '../../parts/page.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { Ago, When } from '../../parts/time.tsx';
import { told } from '../../parts/toast.tsx';
import { createPlaces } from '../../places.ts';
import { toDevices } from '../../to-devices.ts';
import { groupOptions } from './filters.tsx';
import { HealthMark } from './health.tsx';

/** To the devices that are there too. */
function PlaceLink(props: { filter: 'region' | 'division'; place: Device['region'] }): JSX.Element {
  return (
    <Show when={props.place} fallback={t('common.none')}>
      {(place) => <A href={`/devices?${props.filter}=${place().id}`}>{place().name}</A>}
    </Show>
  );
}

export function Identity(props: { device: Device }): JSX.Element {
  return (
    <Facts>
      <Fact name={t('device.id')}>
        <code>{props.device.id}</code>
      </Fact>
      <Fact name={t('devices.hardware')}>{props.device.hardware}</Fact>
      <Fact name={t('devices.region')}>
        <PlaceLink filter="region" place={props.device.region} />
      </Fact>
      <Fact name={t('devices.division')}>
        <PlaceLink filter="division" place={props.device.division} />
      </Fact>
      <Fact name={t('devices.tags')}>{props.device.tags.join(', ') || t('common.none')}</Fact>
      <Fact name={t('device.channel')}>
        <A href={toDevices(`channel = ${props.device.channel}`)}>{props.device.channel}</A>
      </Fact>
      <Fact name={t('device.pinned')}>{props.device.pinned ?? t('device.unpinned')}</Fact>
      <Fact name={t('device.health')}>
        <HealthMark health={props.device.health} />
      </Fact>
      <Show when={props.device.online && props.device.connectedAt}>
        {(at) => (
          <Fact name={t('device.connectedSince')}>
            <When at={at()} />
          </Fact>
        )}
      </Show>
      <Fact name={t('devices.seen')}>
        <Show when={props.device.lastSeenAt} fallback={t('common.never')}>
          {(at) => <Ago at={at()} />}
        </Show>
      </Fact>
      <Fact name={t('device.registered')}>
        <When at={props.device.createdAt} />
      </Fact>
    </Facts>
  );
}

/** Its id and its certificate cannot be changed. */
export function EditDialog(props: { device: Device; onClose: () => void }): JSX.Element {
  const { regions, divisions } = createPlaces();
  const device = asSeen(props.device);
  const change = async (fields: FormData, seen: number) => {
    const text = (name: string) => String(fields.get(name) ?? '').trim();
    const { id, name, hardware, region, division, tags, channel, pinned } = device;
    const before = {
      name,
      hardware,
      region: region?.id ?? null,
      division: division?.id ?? null,
      tags: [...tags],
      channel,
      pinned,
    };
    const saved = await api.changeDevice(
      id,
      {
        name: text('name') || device.id,
        hardware: text('hardware'),
        region: text('region') || null,
        division: text('division') || null,
        tags: text('tags')
          .split(/[\s,;]+/)
          .filter(Boolean),
        channel: text('channel'),
        pinned: text('pinned') || null,
      },
      seen,
    );
    void told(t('toast.saved', { name }), () => api.changeDevice(id, before, saved.revision));
  };
  // Shown at once, also before the lists have come: nothing may be lost by saving early.
  const own = (place: { id: string; name: string } | null) =>
    place ? [{ value: place.id, label: place.name }] : [];
  return (
    <FormDialog
      title={t('device.edit')}
      of={device}
      act={change}
      actLabel={t('common.save')}
      onClose={props.onClose}
    >
      <TextField name="name" label={t('devices.name')} value={device.name} maxLength={100} />
      <SelectField
        name="region"
        label={t('devices.region')}
        all={t('common.none')}
        options={regions.data ? groupOptions(regions.data) : own(device.region)}
        value={device.region?.id ?? ''}
      />
      <SelectField
        name="division"
        label={t('devices.division')}
        all={t('common.none')}
        options={divisions.data ? groupOptions(divisions.data) : own(device.division)}
        value={device.division?.id ?? ''}
      />
      <TextField
        name="hardware"
        label={t('devices.hardware')}
        value={device.hardware}
        maxLength={64}
        required
      />
      <TextField
        name="tags"
        label={t('devices.tags')}
        hint={t('device.tagsHint')}
        value={device.tags.join(' ')}
        maxLength={2000}
      />
      <TextField
        name="channel"
        label={t('device.channel')}
        hint={t('device.channelHint')}
        value={device.channel}
        maxLength={32}
        required
      />
      <TextField
        name="pinned"
        label={t('device.pinned')}
        hint={t('device.pinnedHint')}
        value={device.pinned ?? ''}
        maxLength={64}
      />
    </FormDialog>
  );
}
