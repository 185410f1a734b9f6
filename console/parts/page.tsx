import { createEffect, type JSX, Show } from 'solid-js';

/** A page's head: its title (also the window's), a line below it and its actions. */
export function Head(props: {
  title: string;
  windowTitle?: string;
  lead?: JSX.Element;
  actions?: JSX.Element;
}): JSX.Element {
  createEffect(() => {
    document.title = `${props.windowTitle ?? props.title} · Flota`;
  });
  return (
    <div class="head">
      <div class="head-text">
        <h1>{props.title}</h1>
        <Show when={props.lead}>
          <div class="head-lead">{props.lead}</div>
        </Show>
      </div>
      <Show when={props.actions}>
        <div class="actions">{props.actions}</div>
      </Show>
    </div>
  );
}

export function Facts(props: { children: JSX.Element }): JSX.Element {
  return <dl class="facts">{props.children}</dl>;
}

export function Fact(props: { name: string; children: JSX.Element }): JSX.Element {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}
