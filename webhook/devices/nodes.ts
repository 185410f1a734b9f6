/** A node of the broker that dies says nothing of the devices that were connected to it, and the nodes that are left go on as if nothing had been. */
import type { Context } from '../context.ts';
import { type Loop, startLoop } from '../loop.ts';

/** `onLoss` hears when a node that ran at the last look does not run any more. A broker that is away altogether is noticed by publishing. */
export function watchNodes(context: () => Context, periodMs: number, onLoss: () => void): Loop {
  let ran = new Set<string>();
  return startLoop(async () => {
    const { broker, log } = context();
    try {
      const running = new Set(await broker.runningNodes());
      const lost = [...ran].filter((name) => !running.has(name));
      ran = running;
      if (lost.length > 0) {
        log('warn', 'nodes of the broker are gone', { nodes: lost });
        onLoss();
      }
    } catch (error) {
      log('debug', 'nodes of the broker not read', { error });
    }
    return { pauseMs: periodMs };
  });
}
