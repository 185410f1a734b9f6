import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createAsyncApi, toJsonSchema } from './asyncapi.ts';
import { guide, renew } from './devices-guide.ts';
import { type Topic, topics } from './protocol.ts';

interface Vector {
  name: string;
  topic: Topic;
  message: unknown;
  valid: boolean;
}
const { vectors } = JSON.parse(readFileSync(new URL('./protocol.vectors.json', import.meta.url), 'utf8')) as {
  vectors: Vector[];
};
/** What the reader below does not read of JSON Schema: looked at in the document instead. */
const unread = new Map([
  ['65 values', (topic: Topic) => JSON.stringify(toJsonSchema(topic)).includes('"maxProperties":64')],
]);

describe('the JSON Schemas, read back from the document', () => {
  const $schema = 'http://json-schema.org/draft-07/schema#';
  const document = JSON.parse(JSON.stringify(createAsyncApi())) as ReturnType<typeof createAsyncApi>;
  const readers = new Map(
    Object.values(document.channels).map(({ address, messages }) => {
      const name = messages.message.$ref.split('/').at(-1)!;
      return [
        address as string,
        z.fromJSONSchema({ ...document.components.messages[name]!.payload, $schema } as never),
      ];
    }),
  );

  test.each(Object.keys(topics) as Topic[])('%s take and refuse what the golden messages say', (topic) => {
    const wrong = vectors
      .filter((vector) => vector.topic === topic)
      .filter(({ message, valid, name }) => {
        const looked = unread.get(name)?.(topic);
        return looked === undefined ? readers.get(topic)!.safeParse(message).success !== valid : !looked;
      });
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  test('say for each topic who sends it, of which class it is and how large it may be', () => {
    for (const [address, { direction, class: kind }] of Object.entries(topics)) {
      const [name] = Object.entries(document.channels).find(([, channel]) => channel.address === address)!;
      expect(document.operations[name]!.action).toBe(direction === 'up' ? 'send' : 'receive');
      expect(document.components.messages[name]).toMatchObject({
        'x-class': kind,
        'x-max-bytes': expect.any(Number),
      });
    }
  });

  test('have no reference that leads nowhere', () => {
    const text = JSON.stringify(document);
    for (const [, path] of text.matchAll(/"\$ref":"#\/((?:channels|components)[^"]*)"/g)) {
      let at: unknown = document;
      for (const step of path!.split('/')) at = (at as Record<string, unknown>)[step];
      expect(at, path).toBeDefined();
    }
  });
});

test('the guide for those who write a device shows the topics and messages as they are', () => {
  const text = readFileSync(guide, 'utf8');
  expect(renew(text), 'npx tsx emqx/devices-guide.ts').toBe(text);
  for (const topic of Object.keys(topics)) expect(text, topic).toContain(`\`${topic}\``);
});
