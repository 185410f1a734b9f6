/** What a copy sends notifications with, as it is configured. */
import { createMailer, type MailSettings, type SendMail } from './mail.ts';
import { createNetworks, type Networks } from './networks.ts';
import { post, type Resolve, type Result, resolveName } from './post.ts';

export interface CourierSettings {
  /** CIDR. */
  allowedNetworks: readonly string[];
  mail: MailSettings | null;
  /** For one try. */
  timeoutMs?: number;
  resolve?: Resolve;
}

export interface Courier {
  networks: Networks;
  post(url: URL, headers: Record<string, string>, body: string, signal: AbortSignal): Promise<Result>;
  /** Null: no server for it was named. */
  mail: SendMail | null;
}

const defaultTimeoutMs = 10_000;

export function createCourier({
  allowedNetworks,
  mail,
  timeoutMs = defaultTimeoutMs,
  resolve = resolveName,
}: CourierSettings): Courier {
  const networks = createNetworks(allowedNetworks);
  return {
    networks,
    post: (url, headers, body, signal) => post(url, headers, body, { networks, timeoutMs, resolve }, signal),
    mail: mail && createMailer(mail, timeoutMs),
  };
}
