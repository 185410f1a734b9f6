/** E-mail by the operator's own SMTP server, which is configuration and so may be anywhere. */
import { setTimeout as delay } from 'node:timers/promises';
import { createTransport } from 'nodemailer';
import type { Result } from './post.ts';

export interface MailSettings {
  /** `smtp://user:password@host:587`, or `smtps://` for TLS from the start. */
  url: string;
  from: string;
  /** Of smtp://: a server that offers no STARTTLS gets nothing. */
  requireTls: boolean;
}

export interface Mail {
  to: string[];
  subject: string;
  text: string;
  /** The same one again is the same mail. */
  id: string;
}

/**
 * A server may be silent for `timeoutMs` each time, and for so many times that in all: the others wait, and another copy takes what is not
 * settled within a minute. What it takes after all comes a second time, as the same mail.
 */
const silencesAtMost = 5;

export type SendMail = (mail: Mail) => Promise<Result>;

export function createMailer({ url, from, requireTls }: MailSettings, timeoutMs: number): SendMail {
  const server = new URL(url);
  const secure = server.protocol === 'smtps:';
  const user = decodeURIComponent(server.username);
  const transport = createTransport({
    host: server.hostname,
    port: server.port ? Number(server.port) : secure ? 465 : 587,
    secure,
    requireTLS: !secure && requireTls,
    ignoreTLS: !secure && !requireTls,
    ...(user && { auth: { user, pass: decodeURIComponent(server.password) } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return async ({ to, subject, text, id }) => {
    const late = delay<'late'>(silencesAtMost * timeoutMs, 'late', { ref: false });
    try {
      const sent = await Promise.race([
        transport.sendMail({ from, to, subject, text, messageId: `<${id}@flota>` }),
        late,
      ]);
      if (sent === 'late')
        return {
          status: null,
          answer: `Not taken within ${(silencesAtMost * timeoutMs) / 1000} s`,
          fault: 'timed_out',
        };
      const rejected = sent.rejected.length > 0 ? ` (refused: ${sent.rejected.join(', ')})` : '';
      return { status: Number(sent.response.slice(0, 3)), answer: sent.response + rejected, fault: null };
    } catch (error) {
      const { responseCode, message } = error as Error & { responseCode?: number };
      return {
        status: responseCode ?? null,
        answer: message,
        fault: responseCode ? 'mail_refused' : 'unreachable',
      };
    }
  };
}
