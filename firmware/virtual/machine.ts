/**
 * The agent's transition table: pure, no I/O. `step` takes what is kept on disk and one event, and returns what to keep
 * instead and what to do. The caller stores the new state and its `send`s in one atomic write, then acts; so every effect
 * but `send` must be something that a boot starts again from the state alone.
 */
import type { DeviceError, DownloadResult, Manifest, Running } from '#emqx/protocol.ts';

export type Stage = 'accepted' | 'downloading' | 'verifying' | 'installing' | 'rebooting';

export interface Stats {
  downloadMs: number;
  resumes: number;
  receivedBytes: number;
  redownloadedBytes: number;
}

export interface Job {
  deployment: string;
  attempt: number;
  stage: Stage;
  manifest: Manifest;
  url: string;
  /** 0: the device's own start value. */
  chunkBytes: number;
  stats: Stats;
}

/** How far the staging file is known to be good: the checkpoint. It outlives its job, so a new attempt goes on from it. */
export interface Staged {
  sha256: string;
  size: number;
  receivedBytes: number;
}

/** The newest attempt of a deployment that is over, so that late copies of its messages are recognised. */
export interface Finished {
  deployment: string;
  attempt: number;
  how: 'refused' | 'cancelled' | DownloadResult['outcome'];
}

export interface AgentState {
  job: Job | null;
  staged: Staged | null;
  finished: Finished[];
}

export const emptyState: AgentState = { job: null, staged: null, finished: [] };

interface Attempt {
  deployment: string;
  attempt: number;
}

export type AgentEvent =
  | ({
      type: 'request';
      /** Empty when the request was malformed. */
      url: string;
      verdict: { manifest: Manifest } | { error: DeviceError };
    } & Attempt)
  | ({ type: 'cancel' } & Attempt)
  /** The first byte of the image arrived. */
  | { type: 'receiving' }
  | { type: 'downloaded' }
  | { type: 'verified' }
  /** The boot record names the new slot. */
  | { type: 'committed' }
  | { type: 'failed'; error: DeviceError }
  /** A boot has decided about an installed image. */
  | { type: 'booted'; confirmed: true }
  | { type: 'booted'; confirmed: false; error: DeviceError };

export type Effect =
  | {
      do: 'send';
      topic: 'firmware/download/request/ack' | 'firmware/download/result' | 'firmware/download/cancel/ack';
      body: Record<string, unknown>;
    }
  | { do: 'download' | 'use-fresh-url' | 'verify' | 'install' | 'stop' | 'reboot' };

export interface Step {
  state: AgentState;
  effects: Effect[];
}

type Handler = (state: AgentState, event: never, running: Running) => Step;
type EventType = AgentEvent['type'];

const table: Record<Stage | 'idle', Partial<Record<EventType, Handler>>> = {
  idle: { request: begin, cancel: cancelNothing },
  accepted: { request: interrupt, cancel: abandon, receiving: receive, downloaded: verify, failed: fail },
  downloading: { request: interrupt, cancel: abandon, downloaded: verify, failed: fail },
  verifying: { request: interrupt, cancel: abandon, verified: install, failed: fail },
  installing: { request: interrupt, cancel: abandon, committed: reboot, failed: fail },
  rebooting: { request: hold, cancel: refuseCancel, booted: conclude },
};

/** An event that the table has no row for changes nothing: it came too late. */
export function step(state: AgentState, event: AgentEvent, running: Running): Step {
  const handler = table[state.job?.stage ?? 'idle'][event.type];
  return handler ? handler(state, event as never, running) : { state, effects: [] };
}

/** The state that a boot goes on from: an interrupted check or installation starts again with the check. */
export function afterBoot(state: AgentState, isCommitted: (manifest: Manifest) => boolean): AgentState {
  const { job } = state;
  if (!job) return state;
  if (job.stage === 'installing' && isCommitted(job.manifest)) return withStage(state, 'rebooting');
  return job.stage === 'installing' ? withStage(state, 'verifying') : state;
}

type RequestEvent = Extract<AgentEvent, { type: 'request' }>;
type CancelEvent = Extract<AgentEvent, { type: 'cancel' }>;

function begin(state: AgentState, event: RequestEvent, running: Running): Step {
  if (isOver(state, event)) return { state, effects: [] };
  if ('error' in event.verdict) return refuse(state, event, event.verdict.error);
  const { manifest } = event.verdict;
  const accepted = answer(event, { accepted: true });
  if (manifest.sha256 === running.sha256)
    return {
      state: finish(state, event, 'succeeded'),
      effects: [accepted, result(event, 'succeeded', running)],
    };
  const { staged } = state;
  const reusable = staged?.sha256 === manifest.sha256 && staged.size === manifest.size;
  const job: Job = {
    deployment: event.deployment,
    attempt: event.attempt,
    stage: 'accepted',
    manifest,
    url: event.url,
    chunkBytes: 0,
    stats: { downloadMs: 0, resumes: 0, receivedBytes: 0, redownloadedBytes: 0 },
  };
  return {
    state: {
      ...state,
      job,
      staged: reusable ? staged : { sha256: manifest.sha256, size: manifest.size, receivedBytes: 0 },
    },
    effects: [accepted, { do: 'download' }],
  };
}

/** A request while a job runs that can still be stopped. */
function interrupt(state: AgentState, event: RequestEvent, running: Running): Step {
  const job = state.job!;
  if (event.deployment !== job.deployment) return hold(state, event);
  if (event.attempt < job.attempt) return { state, effects: [] };
  if (event.attempt === job.attempt)
    return event.url === ''
      ? { state, effects: [] }
      : { state: { ...state, job: { ...job, url: event.url } }, effects: [{ do: 'use-fresh-url' }] };
  // A newer attempt that proves nothing must not stop one that has proved itself.
  if (isOver(state, event)) return { state, effects: [] };
  if ('error' in event.verdict) return refuse(state, event, event.verdict.error);
  const next = begin({ ...state, job: null }, event, running);
  return { ...next, effects: [{ do: 'stop' }, ...next.effects] };
}

/** A request that has to wait; a copy of one that is known is no news. */
function hold(state: AgentState, event: RequestEvent): Step {
  const job = state.job!;
  if (event.deployment === job.deployment && event.attempt <= job.attempt) return { state, effects: [] };
  if (isOver(state, event)) return { state, effects: [] };
  return refuse(state, event, { code: 'busy', message: `busy with ${job.deployment}` });
}

function refuse(state: AgentState, event: Attempt, error: DeviceError): Step {
  return {
    state: remember(state, event, 'refused'),
    effects: [answer(event, { accepted: false, error })],
  };
}

function receive(state: AgentState): Step {
  return { state: withStage(state, 'downloading'), effects: [] };
}

function verify(state: AgentState): Step {
  return { state: withStage(state, 'verifying'), effects: [{ do: 'verify' }] };
}

function install(state: AgentState): Step {
  return { state: withStage(state, 'installing'), effects: [{ do: 'install' }] };
}

function reboot(state: AgentState): Step {
  return { state: { ...withStage(state, 'rebooting'), staged: null }, effects: [{ do: 'reboot' }] };
}

function fail(state: AgentState, event: Extract<AgentEvent, { type: 'failed' }>, running: Running): Step {
  const job = state.job!;
  // Bytes that make up the wrong image are worth nothing to the next attempt.
  const spoilt = event.error.code === 'digest_mismatch' || event.error.code === 'size_mismatch';
  return {
    state: { ...finish(state, job, 'failed'), staged: spoilt ? null : state.staged },
    effects: [{ do: 'stop' }, result(job, 'failed', running, job.stats, event.error)],
  };
}

function conclude(state: AgentState, event: Extract<AgentEvent, { type: 'booted' }>, running: Running): Step {
  const job = state.job!;
  const outcome = event.confirmed ? 'succeeded' : 'rolled_back';
  const error = event.confirmed ? undefined : event.error;
  return {
    state: { ...finish(state, job, outcome), staged: null },
    effects: [result(job, outcome, running, job.stats, error)],
  };
}

function abandon(state: AgentState, event: CancelEvent): Step {
  const job = state.job!;
  // A cancel of an attempt that a newer one has replaced, or of another deployment.
  if (event.deployment !== job.deployment || event.attempt < job.attempt) return cancelNothing(state, event);
  return {
    state: { ...finish(state, event, 'cancelled'), staged: null },
    effects: [{ do: 'stop' }, cancelled(event)],
  };
}

function refuseCancel(state: AgentState, event: CancelEvent): Step {
  const job = state.job!;
  if (event.deployment !== job.deployment || event.attempt < job.attempt) return cancelNothing(state, event);
  return { state, effects: [tooLate(event, 'the new image is in place')] };
}

/**
 * A cancel of something that does not run. When its request is still on the way (or lost), remembering the attempt makes
 * sure that it never starts; so the honest answer is `cancelled`.
 */
function cancelNothing(state: AgentState, event: CancelEvent): Step {
  const over = state.finished.find((it) => it.deployment === event.deployment && it.attempt >= event.attempt);
  const booted = over?.how === 'succeeded' || over?.how === 'rolled_back';
  if (booted && over.attempt === event.attempt)
    return { state, effects: [tooLate(event, `it has ${over.how}`)] };
  return {
    state: over ? state : remember(state, event, 'cancelled'),
    effects: [cancelled(event, over ? undefined : { code: 'unknown_deployment' })],
  };
}

const finishedMax = 16;

function isOver(state: AgentState, event: Attempt): boolean {
  return state.finished.some((it) => it.deployment === event.deployment && it.attempt >= event.attempt);
}

function remember(state: AgentState, { deployment, attempt }: Attempt, how: Finished['how']): AgentState {
  if (isOver(state, { deployment, attempt: attempt + 1 })) return state;
  const others = state.finished.filter((it) => it.deployment !== deployment);
  return { ...state, finished: [...others, { deployment, attempt, how }].slice(-finishedMax) };
}

function finish(state: AgentState, of: Attempt, how: Finished['how']): AgentState {
  return { ...remember(state, of, how), job: null };
}

function withStage(state: AgentState, stage: Stage): AgentState {
  return { ...state, job: { ...state.job!, stage } };
}

function answer({ deployment, attempt }: Attempt, rest: { accepted: boolean; error?: DeviceError }): Effect {
  return { do: 'send', topic: 'firmware/download/request/ack', body: { deployment, attempt, ...rest } };
}

function cancelled({ deployment, attempt }: Attempt, error?: DeviceError): Effect {
  return {
    do: 'send',
    topic: 'firmware/download/cancel/ack',
    body: { deployment, attempt, cancelled: true, ...(error && { error }) },
  };
}

function tooLate({ deployment, attempt }: Attempt, message: string): Effect {
  return {
    do: 'send',
    topic: 'firmware/download/cancel/ack',
    body: { deployment, attempt, cancelled: false, error: { code: 'too_late', message } },
  };
}

function result(
  { deployment, attempt }: Attempt,
  outcome: DownloadResult['outcome'],
  running: Running,
  stats?: Stats,
  error?: DeviceError,
): Effect {
  return {
    do: 'send',
    topic: 'firmware/download/result',
    body: { deployment, attempt, outcome, running, ...(error && { error }), ...(stats && { stats }) },
  };
}
