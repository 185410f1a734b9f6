/** An event as each kind of channel is told it. */
import type { Fact, Facts } from './kinds.ts';
import { sentencesInKorean } from './message-ko.ts';
import type { ChannelLanguage } from './table.ts';

export interface Told {
  id: string;
  at: Date;
  kind: Fact['kind'];
  severity: Fact['severity'];
  data: Record<string, unknown>;
  language: ChannelLanguage;
}

const list = ({ devices, first }: { devices: number; first: string[] }) =>
  `${first.join(', ')}${devices > first.length ? ` and ${devices - first.length} more` : ''}`;
const many = (n: number) => (n === 1 ? '1 device' : `${n} devices`);

export type Sentences = { [K in keyof Facts]: (data: Facts[K]) => string };

const sentencesInEnglish: Sentences = {
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
  crash_group_new: ({ reason, pc, device, version }) =>
    `A new crash, ${reason} at ${pc}: first on ${device}, which runs ${version}`,
  group_matches: ({ group, devices, above }) =>
    `${many(devices)} match ${group}, which is more than ${above}`,
  broker_losing_rows: ({ losses }) =>
    `The broker has lost rows: ${losses.map((one) => `${one.kind} ${one.id}: ${one.count} ${one.why}`).join('; ')}`,
  dead_letters: ({ code, device }) =>
    `Messages could not be handled: ${code}${device ? ` (${device})` : ''}. More of this hour are not told one by one`,
  test: () => 'This is a test',
};

const sentences: Record<ChannelLanguage, Sentences> = { en: sentencesInEnglish, ko: sentencesInKorean };

/** One line, whatever names there are in it. */
export function sentenceOf(
  { kind, data }: Pick<Told, 'kind' | 'data'>,
  language: ChannelLanguage = 'en',
): string {
  const write = sentences[language][kind] as (data: Record<string, unknown>) => string;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return write(data).replace(/[\u0000-\u001f\u007f]+/g, ' ');
}

const pages: Record<Fact['kind'], (data: Record<string, unknown>) => string> = {
  deployment_waiting: ({ deployment }) => `/deployments/${deployment}`,
  deployment_halted: ({ deployment }) => `/deployments/${deployment}`,
  deployment_completed: ({ deployment }) => `/deployments/${deployment}`,
  certificate_expiring: () => '/certificates',
  device_silent: () => '/devices',
  crash_group_new: ({ group }) => `/crashes/${group}`,
  group_matches: ({ query }) => `/devices?q=${encodeURIComponent(String(query))}`,
  broker_losing_rows: () => '/system/broker',
  dead_letters: () => '/system/dead-letters',
  test: () => '/system/notifications',
};

export function pageOf({ kind, data }: Pick<Told, 'kind' | 'data'>, publicUrl: string): string {
  return publicUrl.replace(/\/$/, '') + pages[kind](data);
}

/** The body of a signed webhook. `id` is the event's: a receiver that has it already has had it by an earlier try. */
export function webhookBody(event: Told, publicUrl: string): string {
  const { id, kind, severity, at, data } = event;
  const [text, url] = [sentenceOf(event, event.language), pageOf(event, publicUrl)];
  return JSON.stringify({ id, type: kind, severity, at: at.toISOString(), text, url, data });
}

const forSlack = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const koreanSeverities: Record<Fact['severity'], string> = {
  info: '정보',
  warning: '경고',
  critical: '심각',
};
const severityIn = ({ severity, language }: Told) =>
  language === 'ko' ? koreanSeverities[severity] : severity;

export function slackBody(event: Told, publicUrl: string): string {
  const text = `*${severityIn(event)}* ${forSlack(sentenceOf(event, event.language))}\n<${pageOf(event, publicUrl)}>`;
  return JSON.stringify({ text });
}

export function mailOf(event: Told, publicUrl: string): { subject: string; text: string } {
  const { id, at } = event;
  const sentence = sentenceOf(event, event.language);
  return {
    subject: `[Flota] ${severityIn(event)}: ${sentence.slice(0, 150)}`,
    text: `${sentence}\n\n${pageOf(event, publicUrl)}\n\n${at.toISOString()}  ${id}\n`,
  };
}
