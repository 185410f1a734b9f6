/**
 * A small model of the agent, pure but for the chance that it is given: it keeps a checkpoint, resumes from it, boots what it has
 * verified on trial, and goes back when that does not stay up. What it must not lose (job, unacked messages) survives a crash.
 */
import { type DeviceError, mainComponent } from '#emqx/protocol.ts';
import type { TargetEvent } from '../deployments/machine.ts';
import type { Random } from './random.ts';

export interface Image {
  component: string;
  sha256: string;
  securityVersion: number;
  size: number;
  selfTest: boolean;
}
export interface Report {
  component: string;
  sha256: string;
  securityVersion: number;
}
export type Seq = [number, number];

/** An uplink message; with `seq` it is critical. `event` is about `deploymentId`, or about what runs. */
export interface Uplink {
  id: string;
  deviceId: string;
  seq: Seq | null;
  deploymentId: string | null;
  event: TargetEvent;
  /** Of a boot: what every component runs that answers; of a result: what its own does. */
  running: Report[];
  /** The boot that an update ended with: its result follows. */
  ofUpdate: boolean;
}

interface Job {
  deploymentId: string;
  attempt: number;
  image: Image;
  received: number;
  stage: 'downloading' | 'verifying' | 'installing' | 'trial';
}

export interface Device {
  id: string;
  running: Image;
  /** Behind it on a serial port: flashed in place, so that there is nothing to go back to. */
  child: { image: Image; answers: boolean } | null;
  /** What is booted when the trial fails. */
  previous: Image | null;
  job: Job | null;
  /** Attempts that are over, and how. */
  ended: Map<string, 'cancelled' | 'other'>;
  unacked: Uplink[];
  boots: number;
  number: number;
  messages: number;
}

export type DeviceEvent =
  | { type: 'request'; deploymentId: string; attempt: number; image: Image }
  | { type: 'cancel'; deploymentId: string; attempt: number }
  | { type: 'acked'; ids: string[] }
  | { type: 'start' }
  | { type: 'work' }
  | { type: 'crash' };

/** What a broken device would be allowed to do; for the test of the simulation itself. */
export interface Agent {
  acceptsDowngrades: boolean;
}

export function createDevice(id: string, running: Image, child: Image | null): Device {
  return {
    id,
    running,
    child: child && { image: child, answers: true },
    previous: null,
    job: null,
    ended: new Map(),
    unacked: [],
    boots: 1,
    number: 0,
    messages: 0,
  };
}

/** Changes the device and answers what it says at once; critical messages it also keeps to say again. */
export function stepDevice(device: Device, event: DeviceEvent, random: Random, agent: Agent): Uplink[] {
  const said: Uplink[] = [];
  const say = (
    deploymentId: string | null,
    body: TargetEvent,
    { critical = true, ofUpdate = false, running = [] as Report[] } = {},
  ) => {
    const message: Uplink = {
      id: `${device.messages++}`,
      deviceId: device.id,
      seq: critical ? [device.boots, device.number++] : null,
      deploymentId,
      event: body,
      running,
      ofUpdate,
    };
    said.push(message);
    if (critical) device.unacked.push(message);
  };
  const end = (job: { deploymentId: string; attempt: number }, how: 'cancelled' | 'other' = 'other') => {
    device.ended.set(`${job.deploymentId}/${job.attempt}`, how);
    device.job = null;
  };
  const reportBoot = (ofUpdate: boolean) => {
    const { running: main, child } = device;
    const running = [toReport(main), ...(child?.answers ? [toReport(child.image)] : [])];
    say(null, { type: 'booted', runningSha256: main.sha256 }, { ofUpdate, running });
  };
  const boot = (ofUpdate: boolean) => {
    device.boots++;
    device.number = 0;
    reportBoot(ofUpdate);
  };
  const conclude = (
    job: Job,
    outcome: 'succeeded' | 'failed' | 'rolled_back',
    code?: DeviceError['code'],
  ) => {
    end(job);
    const own = imageOf(device, job.image.component);
    // A child that says no version has no digest that counts.
    const running = own ? [toReport(own)] : [];
    const event = {
      type: 'result' as const,
      attempt: job.attempt,
      outcome,
      runningSha256: own?.sha256 ?? '',
    };
    say(job.deploymentId, { ...event, ...(code && { error: { code } }) }, { running });
  };
  const goBack = (job: Job, code: DeviceError['code']) => {
    device.running = device.previous!;
    device.previous = null;
    boot(false);
    conclude(job, 'rolled_back', code);
  };

  switch (event.type) {
    case 'start':
      reportBoot(false);
      break;
    case 'acked':
      device.unacked = device.unacked.filter((m) => !event.ids.includes(m.id));
      break;
    case 'request': {
      const { deploymentId, attempt, image } = event;
      const answer = (code?: DeviceError['code']) =>
        say(deploymentId, {
          type: 'ack',
          attempt,
          accepted: code === undefined,
          ...(code && { error: { code } }),
        });
      if (device.ended.has(`${deploymentId}/${attempt}`)) break;
      const { job } = device;
      if (job) {
        if (job.deploymentId !== deploymentId) answer('busy');
        else if (attempt > job.attempt && job.stage === 'downloading') {
          device.job = { ...job, attempt };
          answer();
        }
        break;
      }
      const runs = image.component === mainComponent ? device.running : device.child!.image;
      if (image.securityVersion < runs.securityVersion && !agent.acceptsDowngrades) {
        device.ended.set(`${deploymentId}/${attempt}`, 'other');
        answer('downgrade_refused');
        break;
      }
      device.job = { deploymentId, attempt, image, received: 0, stage: 'downloading' };
      answer();
      if (image.sha256 === imageOf(device, image.component)?.sha256) conclude(device.job, 'succeeded');
      break;
    }
    case 'cancel': {
      const { deploymentId, attempt } = event;
      const { job } = device;
      const answer = (cancelled: boolean, code?: DeviceError['code']) =>
        say(deploymentId, {
          type: 'cancel_ack',
          attempt,
          cancelled,
          ...(code && { error: { code } }),
        });
      if (job?.deploymentId === deploymentId && job.attempt <= attempt) {
        if (job.stage === 'downloading' || job.stage === 'verifying') {
          end({ deploymentId, attempt }, 'cancelled');
          answer(true);
        } else answer(false, 'too_late');
      } else if (device.ended.get(`${deploymentId}/${attempt}`) === 'cancelled') answer(true);
      else answer(false, 'unknown_deployment');
      break;
    }
    case 'crash':
      if (device.job?.stage === 'trial') goBack(device.job, 'boot_failed');
      else {
        // A flash that was broken off begins again; until then the child has nothing that runs.
        const { job, child } = device;
        if (job?.stage === 'installing' && job.image.component !== mainComponent) child!.answers = false;
        boot(false);
      }
      break;
    case 'work': {
      const { job } = device;
      if (!job) break;
      const tell = (stage: 'downloading' | 'verifying' | 'installing') =>
        say(
          job.deploymentId,
          {
            type: 'progress',
            attempt: job.attempt,
            stage,
            receivedBytes: job.received,
            urlExpired: random.chance(0.1),
          },
          { critical: false },
        );
      if (job.stage === 'downloading') {
        if (random.chance(0.04)) {
          conclude(job, 'failed', 'download_failed');
          break;
        }
        job.received = Math.min(job.image.size, job.received + random.int(10, 60));
        if (job.received === job.image.size) job.stage = 'verifying';
        tell(job.stage);
      } else if (job.stage === 'verifying') {
        if (random.chance(0.03)) conclude(job, 'failed', 'digest_mismatch');
        // A device that is wrong about itself: it says success and runs what it ran before.
        else if (random.chance(0.02)) conclude(job, 'succeeded');
        else {
          job.stage = 'installing';
          tell('installing');
        }
      } else if (job.stage === 'installing' && job.image.component !== mainComponent) {
        const answers = job.image.selfTest && !random.chance(0.05);
        device.child = { image: job.image, answers };
        if (answers) conclude(job, 'succeeded');
        else conclude(job, 'rolled_back', 'self_test_failed');
      } else if (job.stage === 'installing') {
        device.previous = device.running;
        device.running = job.image;
        job.stage = 'trial';
        boot(true);
      } else if (job.image.selfTest && !random.chance(0.02)) {
        device.previous = null;
        conclude(job, 'succeeded');
      } else goBack(job, 'self_test_failed');
    }
  }
  return said;
}

/** What a component runs; null of a child that there is none of, or that does not answer. */
function imageOf({ running, child }: Device, component: string): Image | null {
  if (component === mainComponent) return running;
  return child?.answers ? child.image : null;
}

function toReport({ component, sha256, securityVersion }: Image): Report {
  return { component, sha256, securityVersion };
}
