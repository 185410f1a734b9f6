import { A } from '@solidjs/router';
import { createSignal, type JSX, Match, Show, Switch } from 'solid-js';
import { failedStates } from '#webhook/deployments/states.ts';
import { createAct } from '../../act.ts';
import { api, type Deployment } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { sumOf } from '../../parts/state-tone.ts';
import { told } from '../../parts/toast.tsx';
import { CancelDialog } from './cancel-dialog.tsx';
import { haltWords } from './halt.tsx';
import { UndoDialog } from './undo-dialog.tsx';

/** The way back from a bad image, where one is known: the deploy page of what the devices had before. */
function PutBack(props: { deployment: Deployment }): JSX.Element {
  const previous = createLoad(
    () => props.deployment.id,
    (id, signal) => api.getPrevious(id, signal),
  );
  return (
    <Show when={previous.data?.total ? previous.data.firmware : null}>
      {(firmware) => (
        <A class="button primary" href={`/firmware/${firmware().id}/deploy?instead=${props.deployment.id}`}>
          {t('deployment.putBack', { version: firmware().version })}
        </A>
      )}
    </Show>
  );
}

/** One button takes it back where devices can; after a halt, the older version's own deployment where none can. */
function WayBack(props: { deployment: Deployment }): JSX.Element {
  const [asking, setAsking] = createSignal(false);
  const isHalted = () => props.deployment.state === 'halted';
  const plan = createLoad(
    () => {
      const { id, undoes, undoneBy, counts } = props.deployment;
      if (undoes || undoneBy || !counts.succeeded) return null;
      // The button needs to know of one device; who is asked is told of all that have it by now.
      return { id, succeeded: asking() && counts.succeeded };
    },
    ({ id }, signal) => api.foreseeUndo(id, signal),
  );
  const possible = () => (!props.deployment.undoneBy && plan.data?.targets ? plan.data : null);
  return (
    <Show
      when={possible()}
      fallback={
        <Show when={isHalted()}>
          <PutBack deployment={props.deployment} />
        </Show>
      }
    >
      {(found) => (
        <>
          <button
            type="button"
            class="button"
            classList={{ primary: isHalted() }}
            onClick={() => setAsking(true)}
          >
            {t('undo.button')}
          </button>
          <Show when={asking()}>
            <UndoDialog deployment={props.deployment} plan={found()} onClose={() => setAsking(false)} />
          </Show>
        </>
      )}
    </Show>
  );
}

/** Pauses, and goes on after that, at a press; what cannot be taken back asks first. `onError` gets what a press met. */
export function Operations(props: {
  deployment: Deployment;
  onDone: () => void;
  onError: (error: unknown) => void;
}): JSX.Element {
  const [asking, setAsking] = createSignal<'cancel' | 'resume'>();
  const act = createAct(async (operation: 'pause' | 'resume' | 'retry_failed') => {
    props.onError(undefined);
    const { id, revision } = props.deployment;
    await api.operateDeployment(id, operation, revision).then((now) => {
      if (operation !== 'pause') return;
      const resume = () => api.operateDeployment(id, 'resume', now.revision).then(props.onDone);
      void told(t('toast.paused'), resume);
    }, props.onError);
    // Also when it was refused: what is on the screen was too old.
    props.onDone();
  });
  const close = () => {
    setAsking(undefined);
    props.onDone();
  };
  const state = () => props.deployment.state;
  const failed = () => sumOf(props.deployment.counts, failedStates);
  const unfinished = () =>
    ['waiting_for_approval', 'scheduled', 'running', 'paused', 'halted'].includes(state());

  return (
    <Allowed to="operator">
      <Show when={failed() > 0 && state() !== 'cancelled' && !props.deployment.undoneBy}>
        <button type="button" class="button" disabled={act.busy()} onClick={() => act.run('retry_failed')}>
          {t('deployment.retryFailed', { n: failed() })}
        </button>
      </Show>
      <Switch>
        <Match when={state() === 'running' || state() === 'scheduled'}>
          <button type="button" class="button" disabled={act.busy()} onClick={() => act.run('pause')}>
            {t('deployment.pause')}
          </button>
        </Match>
        <Match when={state() === 'paused'}>
          <button
            type="button"
            class="button primary"
            disabled={act.busy()}
            onClick={() => act.run('resume')}
          >
            {t('deployment.resume')}
          </button>
        </Match>
      </Switch>
      <WayBack deployment={props.deployment} />
      <Show when={unfinished()}>
        <button type="button" class="button danger" onClick={() => setAsking('cancel')}>
          {t('deployment.cancel')}
        </button>
      </Show>
      <Show when={state() === 'halted'}>
        <button type="button" class="button" onClick={() => setAsking('resume')}>
          {t('deployment.resume')}
        </button>
      </Show>
      <Show when={asking() === 'cancel'}>
        <CancelDialog deployment={props.deployment} onClose={close} />
      </Show>
      <Show when={asking() === 'resume'}>
        <Confirm
          title={t('deployment.resumeTitle')}
          of={props.deployment}
          act={(seen) => api.operateDeployment(props.deployment.id, 'resume', seen)}
          actLabel={t('deployment.resume')}
          keepLabel={t('deployment.stayHalted')}
          onClose={close}
        >
          <ul>
            <Show when={props.deployment.halted}>{(halted) => <li>{haltWords(halted())}</li>}</Show>
            <li>{t('deployment.resumeForgives')}</li>
            <li>{t('deployment.resumeMore', { n: props.deployment.counts.pending })}</li>
          </ul>
        </Confirm>
      </Show>
    </Allowed>
  );
}
