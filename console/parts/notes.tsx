import { type JSX, Show } from 'solid-js';
import { t } from '../i18n/i18n.ts';
import { describeError } from './error-text.ts';

export function Loading(): JSX.Element {
  return (
    <p class="loading" role="status">
      {t('common.loading')}
    </p>
  );
}

export function Empty(props: { title: string; lead?: string; children?: JSX.Element }): JSX.Element {
  return (
    <div class="note" data-testid="empty">
      <h2>{props.title}</h2>
      <Show when={props.lead}>
        <p class="soft">{props.lead}</p>
      </Show>
      <Show when={props.children}>
        <div class="actions">{props.children}</div>
      </Show>
    </div>
  );
}

/** An error with, where it makes sense, a way to try again. Renders nothing without an error. */
export function Problem(props: { error: unknown; retry?: (() => void) | undefined }): JSX.Element {
  return (
    <Show when={props.error}>
      <div class="problem" role="alert">
        <p>{describeError(props.error)}</p>
        <Show when={props.retry}>
          {(retry) => (
            <button type="button" class="button" onClick={() => retry()()}>
              {t('common.retry')}
            </button>
          )}
        </Show>
      </div>
    </Show>
  );
}
