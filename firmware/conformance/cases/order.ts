import { strict as assert } from 'node:assert';
import { randomUUID } from 'node:crypto';
import { until } from '#deploy/lab/primitives/until.ts';
import { honest, trickle } from '../../virtual/bench/file-server.ts';
import type { Case } from '../case.ts';
import { kib } from '../rig.ts';

export const orderCases: Case[] = [
  {
    name: 'copies and older attempts of a request change nothing, before and after the update',
    short: true,
    async run(rig) {
      await rig.start();
      const manifest = rig.publish();
      for (const attempt of [2, 2, 1, 2]) await rig.request(manifest, { attempt });
      await rig.succeeds(manifest, 2);
      for (const attempt of [2, 1]) await rig.request(manifest, { attempt });
      await rig.settle();
      assert.equal(rig.broker.of('firmware/download/request/ack').length, 1);
      assert.equal(rig.broker.of('firmware/download/result').length, 1);
    },
  },
  {
    name: 'a newer attempt replaces the running one only with a good manifest',
    async run(rig) {
      await rig.start();
      const manifest = rig.publish();
      // So slow that the first attempt cannot end before the third has taken its place.
      rig.files.always = trickle(kib, 25);
      await rig.request(manifest);
      await rig.broker.see('firmware/download/progress', (it) => (it.receivedBytes as number) > 0);
      await rig.request(manifest, { attempt: 2, manifest: 'forged' });
      await rig.request(manifest, { attempt: 3 });
      await rig.ack((it) => it.attempt === 3);
      rig.files.always = honest;
      await rig.succeeds(manifest, 3);
      const answers = rig.broker.of('firmware/download/request/ack').map((it) => [it.attempt, it.accepted]);
      assert.deepEqual(answers, [
        [1, true],
        [2, false],
        [3, true],
      ]);
    },
  },
  {
    name: 'another deployment has to wait: busy',
    async run(rig) {
      await rig.start();
      const manifest = rig.publish();
      rig.files.always = trickle(kib, 25);
      await rig.request(manifest);
      await rig.ack();
      const deployment = randomUUID();
      await rig.request(manifest, { deployment });
      const ack = await rig.ack((it) => it.deployment === deployment);
      rig.files.always = honest;
      assert.equal((ack.error as { code: string }).code, 'busy');
      await rig.succeeds(manifest);
    },
  },
  {
    name: 'an image that runs already is a success without a download',
    async run(rig) {
      await rig.start();
      const manifest = rig.publish(64 * kib);
      await rig.request(manifest);
      await rig.succeeds(manifest);
      const requests = rig.files.requests.length;
      const deployment = randomUUID();
      await rig.request(manifest, { deployment });
      assert.equal((await rig.result(1, deployment)).outcome, 'succeeded');
      assert.equal(rig.files.requests.length, requests);
    },
  },
  {
    name: 'critical messages are sent until they are acked, one id one text, across a restart',
    short: true,
    async run(rig) {
      rig.broker.acking = false;
      await rig.start();
      await rig.request(rig.publish(64 * kib, { hardware: 'toaster' }));
      const copies = () => rig.broker.received.filter((it) => it.topic === 'firmware/download/request/ack');
      await until('copies of the answer', () => copies().length >= 3);
      await rig.device.powerOff();
      const before = copies().length;
      await rig.start();
      await until('a copy after the restart', () => copies().length > before);
      assert.equal(new Set(copies().map((it) => it.payload)).size, 1, 'one id, several texts');
      rig.broker.acking = true;
      await rig.broker.see('status/health');
      await rig.settle();
      const settled = copies().length;
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      assert.ok(copies().length <= settled + 1, 'it goes on after the ack');
    },
  },
  {
    name: 'a command is carried out once, also when it comes again after the reboot that it was',
    async run(rig) {
      await rig.start();
      await rig.settle();
      const boots = () => rig.broker.of('status/health').filter((it) => it.boot).length;
      // One of an earlier life may not have been acked in time.
      const before = boots();
      const reboot = () => rig.broker.send('control/command', { id: 'boot-once', command: 'reboot' });
      reboot();
      await until('the reboot', () => boots() === before + 1, 15_000);
      for (let i = 0; i < 3; i++) reboot();
      await rig.settle();
      await rig.settle();
      assert.equal(boots(), before + 1, 'it rebooted again');
      const answers = rig.broker.of('control/response').filter((it) => it.command === 'boot-once');
      assert.equal(answers.length, 1, 'it answered more than once');
    },
  },
  {
    name: 'what is critical is numbered: by boots, and within each',
    async run(rig) {
      await rig.start();
      await rig.settle();
      const manifest = rig.publish(64 * kib);
      await rig.request(manifest);
      await rig.succeeds(manifest);
      await rig.settle();
      await rig.settle();
      const first = new Map(rig.broker.received.map(({ message }) => [message.id, message]));
      const seqs = [...first.values()].flatMap((it) => (it.seq ? [it.seq as [number, number]] : []));
      assert.ok(seqs.length > 4, 'it said nothing critical');
      assert.equal(new Set(seqs.map(String)).size, seqs.length, `a number twice: ${seqs.join(' ')}`);
      const boots = [...first.values()].filter((it) => it.boot);
      for (const it of boots) assert.equal((it.boot as { count: number }).count, (it.seq as number[])[0]);
      const counts = boots.map((it) => (it.boot as { count: number }).count);
      assert.ok(
        counts.every((count, i) => i === 0 || count > counts[i - 1]!),
        `boots: ${counts.join(' ')}`,
      );
    },
  },
  {
    name: 'its requests are what it subscribes to last: then the webhook speaks to it',
    async run(rig) {
      await rig.start();
      await rig.settle();
      assert.equal(rig.broker.subscriptions.at(-1), 'firmware/download/request');
      assert.equal(new Set(rig.broker.subscriptions).size, 5, rig.broker.subscriptions.join(' '));
    },
  },
  {
    name: 'an unknown command is answered',
    async run(rig) {
      await rig.start();
      rig.broker.send('control/command', { id: 'dance-1', command: 'dance' });
      const answer = await rig.broker.see('control/response', (it) => it.command === 'dance-1');
      assert.equal((answer.error as { code: string }).code, 'unknown_command');
    },
  },
  {
    name: 'an outage of the broker in the middle of an update only costs time',
    async run(rig) {
      await rig.start();
      const manifest = rig.publish(200 * kib);
      rig.files.always = trickle(8 * kib, 5);
      await rig.request(manifest);
      await rig.broker.see('firmware/download/progress');
      rig.broker.down = true;
      rig.broker.kick();
      await new Promise((resolve) => setTimeout(resolve, 500));
      rig.broker.down = false;
      await rig.succeeds(manifest);
    },
  },
];
