import { createSignal, type JSX } from 'solid-js';
import { formatAgo, formatDateTime } from '../format.ts';
import { language } from '../i18n/i18n.ts';

// One clock for the whole page; its interval lives as long as the page does.
const [nowMs, setNowMs] = createSignal(Date.now());
setInterval(() => setNowMs(Date.now()), 10_000);

/** "3 minutes ago", kept true, with the full date on hovering. Times a little ahead of this clock read as now. */
export function Ago(props: { at: string }): JSX.Element {
  const reference = () => {
    const at = Date.parse(props.at);
    return at - nowMs() < 60_000 ? Math.max(nowMs(), at) : nowMs();
  };
  return (
    <time datetime={props.at} title={formatDateTime(language(), props.at)}>
      {formatAgo(language(), props.at, reference())}
    </time>
  );
}

export function When(props: { at: string }): JSX.Element {
  return <time datetime={props.at}>{formatDateTime(language(), props.at)}</time>;
}

export { nowMs };
