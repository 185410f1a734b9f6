import type { DownlinkTopic } from '#emqx/protocol.ts';
import { answerCommand } from './command.ts';
import { readDownlink } from './downlink.ts';
import type { Life } from './life.ts';

/** Carries out one message from the broker; what makes no sense is logged and forgotten. */
export async function receive(life: Life, topic: DownlinkTopic, payload: Uint8Array): Promise<void> {
  const read = readDownlink(topic, payload);
  if ('problem' in read) return life.log('warn', `ignored a message on ${topic}: ${read.problem}`);
  if ('refused' in read) {
    const { error, ...attempt } = read.refused;
    return life.apply({ type: 'request', ...attempt, url: '', verdict: { error } });
  }
  switch (read.topic) {
    case 'firmware/download/request': {
      const { deployment, attempt, url, manifest } = read.message;
      const verdict = await life.verifyManifest(manifest, life.running);
      return life.apply({ type: 'request', deployment, attempt, url, verdict });
    }
    case 'firmware/download/cancel': {
      const { deployment, attempt } = read.message;
      return life.apply({ type: 'cancel', deployment, attempt });
    }
    case 'ack':
      return life.journal.forget(read.message.ids);
    case 'cert/renew/response':
      life.journal.forget([read.message.request]);
      return life.renewal.answered(read.message);
    case 'control/command': {
      const { id } = read.message;
      const { body, after } = answerCommand(life, read.message);
      const report = { topic: 'control/response' as const, body: { command: id, ...body } };
      if (life.journal.answer(id, report)) after?.();
    }
  }
}
