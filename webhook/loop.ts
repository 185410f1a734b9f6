/** Background work: a round, a pause, the next round. A wake shortens the pause; one that comes during a round brings another at once. */
export interface Loop {
  wake(): void;
  /** Ends after the round that is under way. */
  stop(): Promise<void>;
}

export interface Pause {
  pauseMs: number;
  /** After a fault: what woke it during the round would only run into the same. */
  evenIfWoken?: boolean;
}

/** `round` must not throw. */
export function startLoop(round: () => Promise<Pause>): Loop {
  let stopped = false;
  let woken = false;
  let rouse = () => {};

  async function run(): Promise<void> {
    while (!stopped) {
      woken = false;
      const { pauseMs, evenIfWoken } = await round();
      if (stopped || pauseMs === 0 || (woken && !evenIfWoken)) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pauseMs);
        rouse = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  const running = run();
  return {
    wake() {
      woken = true;
      rouse();
    },
    async stop() {
      stopped = true;
      rouse();
      await running;
    },
  };
}
