/** What each command is and what it is given. */
import type { Broker } from './live.ts';
import type { Paint, Say } from './output.ts';
import type { Settings } from './settings.ts';

export interface Offline {
  /** Of the rule files; undefined: emqx/rules. */
  dir: string | undefined;
  flags: Record<string, string | boolean | undefined>;
  say: Say;
  paint: Paint;
}
export interface Online extends Offline {
  broker: Broker;
  settings: Settings;
}
interface About {
  summary: string;
  help: string;
  options?: Record<string, { type: 'string' | 'boolean'; about: string }>;
}
/** Resolves to the exit status. */
export type Command = About &
  (
    | { needs: 'broker'; run(given: Online): Promise<number> }
    | { needs: 'files'; run(given: Offline): Promise<number> }
  );
