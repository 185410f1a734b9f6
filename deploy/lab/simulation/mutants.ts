/** Faults of the product that the simulation must find: one replacement in one file each, and what is then said to be broken. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are pieces of source
export interface Mutant {
  name: string;
  file: string;
  /** Stands in the file exactly once. */
  text: string;
  becomes: string;
  says: RegExp;
  /** Of a schedule that shows it, or of one shortly before. */
  seed: number;
}

export const mutants: Mutant[] = [
  {
    name: 'targets are started before their wave has come',
    file: 'webhook/deployments/starts.ts',
    text: "and t.state = 'pending' and t.wave <= ${upToWave}",
    becomes: "and t.state = 'pending' and t.wave > ${upToWave}",
    says: /had passed its gate/,
    seed: 2,
  },
  {
    name: 'targets are started where the maintenance window is closed',
    file: 'webhook/deployments/starts.ts',
    text: 't.next_attempt_at <= now()) ${inWindow}',
    becomes: 't.next_attempt_at <= now()) ${sql``} ${inWindow && sql``}',
    says: /outside of its maintenance window/,
    seed: 2,
  },
  {
    name: 'freezes hold nobody back',
    file: 'webhook/deployments/starts.ts',
    text: 'look.frozenUntil = row.freezeOverride === null ? await frozenUntil(tx, now) : null;',
    becomes: 'look.frozenUntil = row.freezeOverride === "" ? await frozenUntil(tx, now) : null;',
    says: /within a freeze/,
    seed: 61,
  },
  {
    name: 'newer and older deployments are confused',
    file: 'webhook/deployments/starts.ts',
    text: '(${deployment}.created_at, ${deployment}.id) > (select',
    becomes: '(${deployment}.created_at, ${deployment}.id) < (select',
    says: /nothing newer is for its|has updated it since/,
    seed: 1,
  },
  {
    name: 'the rate is not heeded',
    file: 'webhook/deployments/starts.ts',
    text: 'const limit = Math.min(action.limit, ',
    becomes: 'const limit = Math.min(',
    says: /starts in a minute/,
    seed: 1,
  },
  {
    name: 'a used up rate is waited for when its minute is over, too',
    file: 'webhook/deployments/rollout.ts',
    text: 'if (first && waits && allowance(rollout, now) < 1) times.push(first.at + minuteMs);',
    becomes: 'if (rollout.recent[0] && waits) times.push(rollout.recent[0].at + minuteMs);',
    says: /does not come to rest/,
    seed: 11,
  },
  {
    name: 'any digest attests a success',
    file: 'webhook/deployments/machine.ts',
    text: 'if (runningSha256 !== target.sha256 || target.attempt === 0) return false;',
    becomes: 'if (runningSha256 === "" || target.attempt === 0) return false;',
    says: /never ran the image/,
    seed: 5,
  },
  {
    name: 'what should halt goes on',
    file: 'webhook/deployments/rollout.ts',
    text: "if (halted) return stay({ ...rollout, state: 'halted', halted, soakSince: null });",
    becomes: '',
    says: /started although/,
    seed: 1,
  },
  {
    name: 'no control group is held back',
    file: 'webhook/deployments/selection.ts',
    text: 'const control = controlSize(health, counts.get(null) ?? 0);',
    becomes: 'const control = 0 * controlSize(health, 0);',
    says: /has no control group/,
    seed: 1,
  },
  {
    name: 'the first to be reached are all that there are',
    file: 'webhook/deployments/selection.ts',
    text: 'from (${resolved(image, selection)}) r where reason is null`;',
    becomes: 'from (${resolved(image, selection)}) r where reason is null and reachable`;',
    says: /was missed/,
    seed: 2,
  },
  {
    name: 'deadlines are not stored',
    file: 'webhook/deployments/store.ts',
    text: 'deadline_at: isOpen(t.state) ? some(t.deadlineAt) : undefined,',
    becomes: 'deadline_at: undefined,',
    says: /without a deadline/,
    seed: 5,
  },
  {
    name: 'messages are not remembered',
    file: 'webhook/events/received.ts',
    text: 'as v("deviceId" text, "messageId" text, digest text)\n',
    becomes: 'as v("deviceId" text, "messageId" text, digest text) where false\n',
    says: /acked but not committed/,
    seed: 5,
  },
  {
    name: 'what devices run is not noted',
    file: 'webhook/events/handle.ts',
    text: '    applyRunning(tx, messages, orders),\n',
    becomes: '    Promise.resolve(),\n',
    says: /is believed to run/,
    seed: 5,
  },
  {
    name: 'a boot counts as a success, whatever runs',
    file: 'webhook/events/targets.ts',
    text: "fold.apply(target, { type: 'booted', runningSha256: attestedDigest(target, own) });",
    becomes: "fold.apply(target, { type: 'booted', runningSha256: target.sha256 });",
    says: /never ran the image/,
    seed: 5,
  },
  {
    name: 'commands count as sent before they are',
    file: 'webhook/outbox/send.ts',
    text: '  let outcomes: PublishOutcome[];\n  try {\n',
    becomes: '  let outcomes: PublishOutcome[];\n  await remove(context.db, sendable);\n  try {\n',
    says: /was forgotten unsent/,
    seed: 5,
  },
  {
    name: 'a device reports the digest of the manifest as what runs',
    file: 'firmware/agent/ota_reporter.c',
    text: '  ota_text_hex(text, image->sha256, OTA_SHA256_BYTES);\n',
    becomes:
      '  const struct ota_job *job = &agent->journal.state.job;\n' +
      '  ota_text_hex(text, job->image.size ? job->image.sha256 : image->sha256, OTA_SHA256_BYTES);\n',
    says: /never ran the image|is believed to run/,
    seed: 5,
  },
  {
    name: 'a device does not store its journal',
    file: 'firmware/agent/ota_journal.c',
    text: '  return port->store_write(port->ctx, OTA_STORE_JOURNAL, data, end + trailer_bytes);',
    becomes: '  (void)port;\n  return OTA_OK;',
    says: /was lost|is stuck in/,
    seed: 1,
  },
  {
    name: 'the numbers of messages begin again in every boot',
    file: 'firmware/agent/ota_life.c',
    text: '  state->boot_count = ++agent->keep.boot_count;',
    becomes: '  state->boot_count = agent->keep.boot_count = 1;',
    says: /is believed to run/,
    seed: 1,
  },
  {
    name: 'what is undone goes on',
    file: 'webhook/deployments/undo.ts',
    text: "      await rollouts.apply(tx, id, { type: 'cancel' });\n",
    becomes: '',
    says: /although \S+ undoes it/,
    seed: 12,
  },
  {
    name: 'an undo is sent as an update',
    file: 'webhook/outbox/send.ts',
    text: 'const what = row.undoManifest ? {',
    becomes: 'const what = row.undoManifest === "" ? {',
    says: /was sent with the URL of an image/,
    seed: 12,
  },
  {
    name: 'a device obeys whoever writes an order',
    file: 'firmware/agent/ota_jws.c',
    text: '(size_t)(second - jws), signature) != OTA_OK)',
    becomes: '(size_t)(second - jws), signature) > 0)',
    says: /unasked/,
    seed: 13,
  },
  {
    name: 'a device obeys an order as often as it comes',
    file: 'firmware/agent/ota_machine.c',
    text: 'state->finished[i].how = OTA_ROLLED_BACK;',
    becomes: 'continue;',
    says: /unasked/,
    seed: 13,
  },
  {
    name: 'a late joiner gets what the control group is kept without',
    file: 'webhook/deployments/rollout.ts',
    text: 'wave: gated.wave - (isKept(gated) ? 1 : 0)',
    becomes: 'wave: gated.wave',
    says: /was to be kept without it/,
    seed: 12,
  },
];
