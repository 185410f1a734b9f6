/** What the stand-in takes from `emqx.conf`: the settings of the listener for devices, of packets and of queues. */
import { type HoconValue, nodeAt, parseHocon, toPlain } from '../hocon.ts';
import { toBytes, toCount, toMilliseconds } from '../units.ts';
import { clientidPlaceholder } from './acl.ts';

export interface ListenerSettings {
  mountpoint: string;
  /** Of each client; Infinity without a limit. */
  messagesPerSecond: number;
  bytesPerSecond: number;
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
  const listener = (name: string) => at('listeners', 'ssl', 'default', name);
  return {
    mountpoint: String(listener('mountpoint') ?? `devices/${clientidPlaceholder}/`),
    messagesPerSecond: toRate(listener('messages_rate'), (text) => toCount(Number(text), 0)),
    bytesPerSecond: toRate(listener('bytes_rate'), (text) => toBytes(text, 0)),
    maxPacketBytes: toBytes(at('mqtt', 'max_packet_size'), 1024 * 1024),
    maxQueuedMessages: toCount(at('mqtt', 'max_mqueue_len'), 1_000),
  };
}

/** `100/s`, `256KB/10s` or `infinity`, as so many a second. */
function toRate(value: unknown, amount: (text: string) => number): number {
  if (value === undefined || value === 'infinity') return Number.POSITIVE_INFINITY;
  const [, much, times = '1', unit] = /^(\d+[a-z]*)\/(\d*)(ms|s|m|h|d)$/i.exec(String(value)) ?? [];
  const perSecond =
    much === undefined ? 0 : (amount(much) * 1_000) / toMilliseconds(`${times || 1}${unit}`, 0);
  if (!(perSecond > 0)) throw new TypeError(`${JSON.stringify(value)} is not a rate`);
  return perSecond;
}
