/** An event as each kind of channel is told it. */
import type { Fact, Facts } from './kinds.ts';

export interface Told {
  id: string;
  at: Date;
  kind: Fact['kind'];
  severity: Fact['severity'];
  data: Record<string, unknown>;
}

const list = ({ devices, first }: { devices: number; first: string[] }) =>
  `${first.join(', ')}${devices > first.length ? ` and ${devices - first.length} more` : ''}`;
const many = (n: number) => (n === 1 ? '1 device' : `${n} devices`);

const sentences: { [K in keyof Facts]: (data: Facts[K]) => string } = {
  deployment_waiting: ({ firmware, version, by, devices }) =>
    `The deployment of ${firmware} ${version} to ${many(devices)} by ${by} waits for somebody else's approval`,
  deployment_halted: ({ firmware, version, detail, wave }) =>
    `The deployment of ${firmware} ${version} has halted in wave ${wave + 1}: ${detail}`,
  deployment_completed: ({ firmware, version, succeeded, failed, others }) =>
    `The deployment of ${firmware} ${version} is complete: ${succeeded} succeeded, ${failed} failed, ${others} others`,
  certificate_expiring: ({ withinDays, ...devices }) =>
    withinDays === 0
      ? `The certificates of ${many(devices.devices)} have expired: ${list(devices)}`
      : `The certificates of ${many(devices.devices)} end within ${withinDays} days: ${list(devices)}`,
  device_silent: ({ hours, ...devices }) =>
    `${many(devices.devices)} not connected for ${hours} hours: ${list(devices)}`,
  broker_losing_rows: ({ losses }) =>
    `The broker has lost rows: ${losses.map((one) => `${one.kind} ${one.id}: ${one.count} ${one.why}`).join('; ')}`,
  dead_letters: ({ code, device }) =>
    `Messages could not be handled: ${code}${device ? ` (${device})` : ''}. More of this hour are not told one by one`,
  test: () => 'This is a test',
};

/** One line, whatever names there are in it. */
export function sentenceOf({ kind, data }: Pick<Told, 'kind' | 'data'>): string {
  const write = sentences[kind] as (data: Record<string, unknown>) => string;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return write(data).replace(/[\u0000-\u001f\u007f]+/g, ' ');
}

const pages: Record<Fact['kind'], (data: Record<string, unknown>) => string> = {
  deployment_waiting: ({ deployment }) => `/deployments/${deployment}`,
  deployment_halted: ({ deployment }) => `/deployments/${deployment}`,
  deployment_completed: ({ deployment }) => `/deployments/${deployment}`,
  certificate_expiring: () => '/certificates',
  device_silent: () => '/devices',
  broker_losing_rows: () => '/system/broker',
  dead_letters: () => '/system/dead-letters',
  test: () => '/system/notifications',
};

export function pageOf({ kind, data }: Told, publicUrl: string): string {
  return publicUrl.replace(/\/$/, '') + pages[kind](data);
}

/** The body of a signed webhook. `id` is the event's: a receiver that has it already has had it by an earlier try. */
export function webhookBody(event: Told, publicUrl: string): string {
  const { id, kind, severity, at, data } = event;
  const [text, url] = [sentenceOf(event), pageOf(event, publicUrl)];
  return JSON.stringify({ id, type: kind, severity, at: at.toISOString(), text, url, data });
}

const forSlack = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

export function slackBody(event: Told, publicUrl: string): string {
  const text = `*${event.severity}* ${forSlack(sentenceOf(event))}\n<${pageOf(event, publicUrl)}>`;
  return JSON.stringify({ text });
}

export function mailOf(event: Told, publicUrl: string): { subject: string; text: string } {
  const { id, severity, at } = event;
  const sentence = sentenceOf(event);
  return {
    subject: `[Flota] ${severity}: ${sentence.slice(0, 150)}`,
    text: `${sentence}\n\n${pageOf(event, publicUrl)}\n\n${at.toISOString()}  ${id}\n`,
  };
}
