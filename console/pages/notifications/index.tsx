import type { JSX } from 'solid-js';
import { adminApi } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Head } from '../../parts/page.tsx';
import { Channels } from './channels.tsx';
import { Log } from './log.tsx';
import { Rules } from './rules.tsx';

function Notifications(): JSX.Element {
  const always = () => true;
  const channels = createLoad(always, (_, signal) => adminApi.listChannels(signal));
  const rules = createLoad(always, (_, signal) => adminApi.listRules(signal));
  const regions = createLoad(always, (_, signal) => adminApi.listPlaces('regions', signal));
  useLive('audit', 'notification_channel', channels.refetch);
  useLive('audit', 'notification_rule', rules.refetch);
  useLive('audit', 'regions', regions.refetch);
  return (
    <>
      <Head title={t('notify.title')} lead={t('notify.lead')} />
      <Rules load={rules} channels={channels.data ?? []} regions={regions.data ?? []} />
      <Channels load={channels} />
      <Log channels={channels.data ?? []} />
    </>
  );
}

/** Who is told what, where to, and what was sent. */
export default function NotificationsPage(): JSX.Element {
  return (
    <Allowed to="admin" fleet page>
      <Notifications />
    </Allowed>
  );
}
