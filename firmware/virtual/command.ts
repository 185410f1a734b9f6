import type { ControlCommand, ControlResponse } from '#emqx/protocol.ts';
import type { Agent } from './agent.ts';

type Answer = {
  body: Pick<ControlResponse, 'ok' | 'result' | 'error'>;
  /** Done once the answer is safely in the outbox. */
  after?: () => void;
};

const commands: Record<string, (agent: Agent) => Answer> = {
  ping: (agent) => ({ body: { ok: true, result: { bootCount: agent.boot!.count } } }),
  identify: (agent) => ({
    body: {
      ok: true,
      result: { id: agent.settings.id, hardware: agent.settings.hardware, running: [agent.running] },
    },
    after: () => agent.notice('identify'),
  }),
  report: (agent) => ({
    body: { ok: true },
    after: () => {
      agent.reporter.health();
      agent.reporter.telemetry();
    },
  }),
  reboot: (agent) => ({ body: { ok: true }, after: () => agent.requestReboot('command') }),
};

export function answerCommand(agent: Agent, { command }: ControlCommand): Answer {
  const known = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (known) return known(agent);
  return { body: { ok: false, error: { code: 'unknown_command', message: command } } };
}
