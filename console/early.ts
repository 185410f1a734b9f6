/** Answers that were asked for before the page was there that wants them. Each is given once: later ones must be fresh. */
const asked = new Map<string, Promise<Response>>();

export function askEarly(path: string): void {
  const answer = fetch(path);
  // Whoever takes it hears of a failure.
  answer.catch(() => {});
  asked.set(path, answer);
}

export function takeEarly(path: unknown): Promise<Response> | undefined {
  const answer = asked.get(path as string);
  asked.delete(path as string);
  return answer;
}
