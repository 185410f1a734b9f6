import type { DownlinkTopic } from '#emqx/protocol.ts';
import type { Agent } from './agent.ts';
import { answerCommand } from './command.ts';
import { readDownlink } from './downlink.ts';

/** Carries out one message from the broker; what makes no sense is logged and forgotten. */
export async function receive(agent: Agent, topic: DownlinkTopic, payload: Uint8Array): Promise<void> {
  const read = readDownlink(topic, payload);
  if ('problem' in read) return agent.log('warn', `ignored a message on ${topic}: ${read.problem}`);
  if ('refused' in read) {
    const { error, ...attempt } = read.refused;
    return agent.apply({ type: 'request', ...attempt, url: '', verdict: { error } });
  }
  switch (read.topic) {
    case 'firmware/download/request': {
      const { deployment, attempt, url, manifest } = read.message;
      const verdict = await agent.verifyManifest(manifest, agent.running);
      return agent.apply({ type: 'request', deployment, attempt, url, verdict });
    }
    case 'firmware/download/cancel': {
      const { deployment, attempt } = read.message;
      return agent.apply({ type: 'cancel', deployment, attempt });
    }
    case 'ack':
      return agent.journal.forget(read.message.ids);
    case 'cert/renew/response':
      agent.journal.forget([read.message.request]);
      return agent.renewal.answered(read.message);
    case 'control/command': {
      const { id } = read.message;
      const { body, after } = answerCommand(agent, read.message);
      const report = { topic: 'control/response' as const, body: { command: id, ...body } };
      if (agent.journal.answer(id, report)) after?.();
    }
  }
}
