import type { JSX } from 'solid-js';

/** `value` out of `max`, in the same unit. `quiet` is for one that no longer moves. */
export function Progress(props: { value: number; max: number; label: string; quiet?: boolean }): JSX.Element {
  const share = () => (props.max > 0 ? Math.min(1, props.value / props.max) : 0);
  return (
    <div
      class="progress"
      classList={{ quiet: props.quiet }}
      role="progressbar"
      aria-label={props.label}
      aria-valuemin="0"
      aria-valuemax="100"
      aria-valuenow={Math.floor(share() * 100)}
    >
      <span style={{ transform: `scaleX(${share()})` }} />
    </div>
  );
}
