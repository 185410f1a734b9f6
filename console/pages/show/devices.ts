import { createSignal, onCleanup, onMount } from 'solid-js';
import { createStore, produce, reconcile } from 'solid-js/store';
import { api } from '../../api.ts';
import { createSource, type LiveStatus, whileVisible } from '../../source.ts';
import type { Note, ShowDevice } from './wire.ts';

/** The newest thing that happened to any device, for who does not see the map. */
export type News = { id: string; note: Note };

/** The virtual devices as they are pushed; `status` is that of the stream. */
export function createDevices() {
  const [devices, setDevices] = createStore<ShowDevice[]>([]);
  const [status, setStatus] = createSignal<LiveStatus>('connecting');
  const [arrived, setArrived] = createSignal(false);
  const [news, setNews] = createSignal<News>();

  const take = (views: ShowDevice[]) => {
    for (const view of views) {
      const at = devices.findIndex((one) => one.id === view.id);
      const latest = view.notes[0];
      if (at >= 0 && latest && latest.at !== devices[at]!.notes[0]?.at)
        setNews({ id: view.id, note: latest });
      if (at >= 0) setDevices(at, reconcile(view, { key: 'at' }));
      else setDevices(produce((all) => void all.push(view)));
    }
    setArrived(true);
  };
  const source = createSource(
    { connect: () => new EventSource('/api/show/live'), onStatus: setStatus, whenRefused: () => api.me() },
    { events: { devices: (data) => take(JSON.parse(data) as ShowDevice[]) } },
  );
  onMount(() => onCleanup(whileVisible(source)));
  return { devices, status, arrived, news };
}
