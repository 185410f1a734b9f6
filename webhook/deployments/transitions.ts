/**
 * Every step from one state of a target to another, as data: which of them may be seen, and on what. The machine (`machine.ts`) decides when;
 * `transitions.test.ts` tries every state with every event and holds both, and the diagram in README.md, to each other.
 */
import { closedStates, failedStates, type TargetState, workingStates } from './states.ts';

/** What happened. Those that could be misread are told in README.md. */
export type Cause =
  | 'dispatch'
  | 'unsendable'
  | 'accepted'
  | 'refused'
  | 'progress'
  | 'installing'
  | 'attested'
  | 'not attested'
  | 'failure'
  | 'rollback'
  | 'silence'
  | 'cancel'
  | 'stopped'
  | 'too late'
  | 'supersede'
  | 'hold_back'
  | 'retry';

export interface Transition {
  on: Cause;
  from: readonly TargetState[];
  /** Several where the policy, or the attempt, decides. */
  to: readonly TargetState[];
}

export const transitions: readonly Transition[] = [
  { on: 'dispatch', from: ['pending'], to: ['sent'] },
  { on: 'unsendable', from: ['sent'], to: ['failed'] },
  { on: 'accepted', from: ['sent'], to: ['accepted'] },
  { on: 'refused', from: ['sent'], to: ['pending', 'failed'] },
  { on: 'progress', from: ['sent', 'accepted'], to: ['downloading'] },
  { on: 'installing', from: ['sent', 'accepted', 'downloading'], to: ['installing'] },
  { on: 'attested', from: ['pending', ...workingStates, 'cancelling', ...failedStates], to: ['succeeded'] },
  { on: 'not attested', from: [...workingStates, 'cancelling'], to: ['failed'] },
  { on: 'failure', from: workingStates, to: ['pending', 'failed'] },
  { on: 'failure', from: ['cancelling'], to: ['failed'] },
  { on: 'rollback', from: [...workingStates, 'cancelling', 'succeeded'], to: ['rolled_back'] },
  { on: 'silence', from: workingStates, to: ['pending', 'timed_out'] },
  { on: 'silence', from: ['cancelling'], to: ['timed_out'] },
  { on: 'cancel', from: ['pending'], to: ['cancelled', 'cancelling'] },
  { on: 'cancel', from: workingStates, to: ['cancelling'] },
  { on: 'stopped', from: ['cancelling', 'timed_out'], to: ['cancelled'] },
  { on: 'too late', from: ['cancelling'], to: ['installing'] },
  { on: 'supersede', from: ['pending'], to: ['skipped'] },
  { on: 'hold_back', from: ['pending'], to: ['skipped'] },
  { on: 'retry', from: failedStates, to: ['pending'] },
];

/** Mermaid: an arrow for each pair of states, with all that leads along it. */
export function drawDiagram(): string {
  return draw(transitions, ['pending'], closedStates);
}

export function draw<State extends string, On extends string>(
  steps: readonly { on: On; from: readonly State[]; to: readonly State[] }[],
  first: readonly State[],
  last: readonly State[],
): string {
  const arrows = new Map<string, On[]>();
  for (const { on, from, to } of steps)
    for (const a of from)
      for (const b of to) {
        const arrow = `${a} --> ${b}`;
        arrows.set(arrow, [...(arrows.get(arrow) ?? []), on]);
      }
  const lines = [
    ...first.map((state) => `[*] --> ${state}`),
    ...[...arrows].map(([arrow, causes]) => `${arrow}: ${causes.join(', ')}`),
    ...last.map((state) => `${state} --> [*]`),
  ];
  return ['stateDiagram-v2', ...lines.map((line) => `  ${line}`), ''].join('\n');
}
