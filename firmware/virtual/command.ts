import type { ControlCommand, ControlResponse } from '#emqx/protocol.ts';
import type { Life } from './life.ts';

type Answer = {
  body: Pick<ControlResponse, 'ok' | 'result' | 'error'>;
  /** Done once the answer is safely in the outbox. */
  after?: () => void;
};

const commands: Record<string, (life: Life) => Answer> = {
  ping: (life) => ({ body: { ok: true, result: { bootCount: life.boot!.count } } }),
  identify: (life) => ({
    body: {
      ok: true,
      result: { id: life.settings.id, hardware: life.settings.hardware, running: [life.running] },
    },
    after: () => life.notice('identify'),
  }),
  report: (life) => ({
    body: { ok: true },
    after: () => {
      life.reporter.health();
      life.reporter.telemetry();
    },
  }),
  reboot: (life) => ({ body: { ok: true }, after: () => life.requestReboot('command') }),
};

export function answerCommand(life: Life, { command }: ControlCommand): Answer {
  const known = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (known) return known(life);
  return { body: { ok: false, error: { code: 'unknown_command', message: command } } };
}
