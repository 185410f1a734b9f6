import { expect, test } from 'vitest';
import { acknowledge, enqueue, type StoredMessage } from './outbox.ts';

const message = (id: string, topic: StoredMessage['topic'] = 'control/response') => ({
  id,
  topic,
  payload: id,
});

test('a full outbox drops its oldest message, but keeps results as long as there is anything else', () => {
  let outbox: StoredMessage[] = [message('r', 'firmware/download/result')];
  for (const id of ['a', 'b', 'c']) outbox = enqueue(outbox, message(id), 3);
  expect(outbox.map(({ id }) => id)).toEqual(['r', 'b', 'c']);
  for (const id of ['s', 't', 'u']) outbox = enqueue(outbox, message(id, 'firmware/download/result'), 3);
  expect(outbox.map(({ id }) => id)).toEqual(['s', 't', 'u']);
});

test('an ack takes out what it names and nothing else', () => {
  expect(acknowledge([message('a'), message('b')], ['b', 'x'])).toEqual([message('a')]);
});
