/** What the stand-in takes from `emqx.conf`: the mountpoint, and the sizes of packets and queues. */
import { type HoconValue, nodeAt, parseHocon, toPlain } from '../hocon.ts';
import { toBytes, toCount } from '../units.ts';
import { clientidPlaceholder } from './acl.ts';

export interface ListenerSettings {
  mountpoint: string;
  maxPacketBytes: number;
  maxQueuedMessages: number;
}

/** An empty text gives EMQX's defaults, but for the mountpoint, without which nothing here works. Throws HoconError or TypeError. */
export function readListenerSettings(conf: string): ListenerSettings {
  const root = parseHocon(conf);
  const at = (...path: string[]): HoconValue | undefined => {
    const node = nodeAt(root, ...path);
    return node && toPlain(node);
  };
  return {
    mountpoint: String(at('listeners', 'ssl', 'default', 'mountpoint') ?? `devices/${clientidPlaceholder}/`),
    maxPacketBytes: toBytes(at('mqtt', 'max_packet_size'), 1024 * 1024),
    maxQueuedMessages: toCount(at('mqtt', 'max_mqueue_len'), 1_000),
  };
}
