/**
 * Keeps `firmware/DEVICES.md` true: its table of topics and each message in it are written from the contract and its golden messages.
 * `npx tsx emqx/devices-guide.ts` writes them anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { maxBytesOf, summaries } from './asyncapi.ts';
import { type Topic, topics } from './protocol.ts';

export const guide = new URL('../firmware/DEVICES.md', import.meta.url);

interface Vector {
  name: string;
  topic: string;
  message: unknown;
  valid: boolean;
}

/** `<!-- message TOPIC: NAME -->` and the block below it; `<!-- topics -->` and the table below it. */
const messages = /(<!-- message ([\w/]+): (.+?) -->\n)```json\n[\s\S]*?```\n/g;
const table = /(<!-- topics -->\n)(?:\|.*\n)*/;

/** The text with everything between markers as it is now. Throws where a marker names no valid golden message. */
export function renew(text: string): string {
  const path = new URL('./protocol.vectors.json', import.meta.url);
  const { vectors } = JSON.parse(readFileSync(path, 'utf8')) as { vectors: Vector[] };
  const rows = Object.entries(topics).map(([topic, { direction, class: kind }]) =>
    [
      '',
      `\`${topic}\``,
      direction === 'up' ? '↑' : '↓',
      kind,
      `${maxBytesOf(topic as Topic) / 1024} KiB`,
      summaries[topic as Topic],
      '',
    ].join(' | '),
  );
  const head = ['| topic | | class | at most | |', '| --- | --- | --- | --- | --- |'];
  return text
    .replace(
      table,
      (_, marker: string) => `${marker}${[...head, ...rows.map((row) => row.trim())].join('\n')}\n`,
    )
    .replace(messages, (_, marker: string, topic: string, name: string) => {
      const found = vectors.find((one) => one.topic === topic && one.name === name && one.valid);
      if (!found) throw new Error(`there is no valid golden message of ${topic} named ${name}`);
      return `${marker}\`\`\`json\n${JSON.stringify(found.message, null, 2)}\n\`\`\`\n`;
    });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  writeFileSync(guide, renew(readFileSync(guide, 'utf8')));
