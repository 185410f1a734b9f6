#include "ota_machine.h"

#include <string.h>

#include "ota_delta.h"

struct context {
  struct ota_state *state;
  const struct ota_event *event;
  const struct ota_image *running;
  struct ota_step *step;
};

typedef void handler(struct context *it);

static handler begin, interrupt, hold, abandon, cancel_nothing, refuse_cancel, receive, verify, install, reboot, fail,
    conclude;

// clang-format off
static handler *const table[OTA_STAGES][OTA_EVENTS] = {
  /*                   request    cancel          receiving  downloaded  verified  committed  failed  booted    */
  [OTA_IDLE]        = {begin,     cancel_nothing, NULL,      NULL,       NULL,     NULL,      NULL,   NULL    },
  [OTA_ACCEPTED]    = {interrupt, abandon,        receive,   verify,     NULL,     NULL,      fail,   NULL    },
  [OTA_DOWNLOADING] = {interrupt, abandon,        NULL,      verify,     NULL,     NULL,      fail,   NULL    },
  [OTA_VERIFYING]   = {interrupt, abandon,        NULL,      NULL,       install,  NULL,      fail,   NULL    },
  [OTA_INSTALLING]  = {interrupt, abandon,        NULL,      NULL,       NULL,     reboot,    fail,   NULL    },
  [OTA_REBOOTING]   = {hold,      refuse_cancel,  NULL,      NULL,       NULL,     NULL,      NULL,   conclude},
};
// clang-format on

void ota_machine_step(struct ota_state *state, const struct ota_event *event, const struct ota_image *running,
                      struct ota_step *step) {
  struct context it = {state, event, running, step};
  step->changed = false;
  step->effects = 0;
  step->message_count = 0;
  step->component = state->job.stage == OTA_IDLE ? event->component : state->job.component;
  handler *handle = table[state->job.stage][event->type];
  if (handle) handle(&it);
}

static bool same_deployment(const struct ota_attempt *one, const struct ota_attempt *other) {
  return strcmp(one->deployment, other->deployment) == 0;
}

static bool same_digest(const uint8_t *one, const uint8_t *other) { return memcmp(one, other, OTA_SHA256_BYTES) == 0; }

void ota_machine_after_boot(struct ota_state *state, const struct ota_image *running) {
  struct ota_job *job = &state->job;
  if (job->stage == OTA_IDLE || job->stage == OTA_REBOOTING) return;
  // No job begins for an image that runs already: what runs has been activated by it.
  if (same_digest(job->image.sha256, running[job->component].sha256)) job->stage = OTA_REBOOTING;
  else if (job->undoes[0] != '\0') job->installs++;
  else if (job->stage == OTA_INSTALLING) job->stage = OTA_VERIFYING;
}

static struct ota_finished *find_deployment(struct ota_state *state, const char *deployment) {
  for (uint32_t i = 0; i < state->finished_count; i++)
    if (strcmp(state->finished[i].attempt.deployment, deployment) == 0) return &state->finished[i];
  return NULL;
}

/** How this attempt, or a newer one of its deployment, ended; null when none has. */
static const struct ota_finished *find_finished(struct ota_state *state, const struct ota_attempt *attempt) {
  const struct ota_finished *it = find_deployment(state, attempt->deployment);
  return it && it->attempt.number >= attempt->number ? it : NULL;
}

bool ota_machine_has_installed(struct ota_state *state, const char *deployment) {
  const struct ota_finished *it = find_deployment(state, deployment);
  return it && it->how == OTA_SUCCEEDED;
}

/** Only what has brought the image that runs can be undone, and once: what had succeeded before does not count any more. */
static void replace_installed(struct ota_state *state) {
  if (state->job.component != OTA_MAIN) return;
  for (uint32_t i = 0; i < state->finished_count; i++)
    if (state->finished[i].how == OTA_SUCCEEDED) state->finished[i].how = OTA_ROLLED_BACK;
}

/** Keeps the newest attempt of each deployment, and the newest deployments. */
static void remember(struct ota_state *state, const struct ota_attempt *attempt, enum ota_outcome how) {
  const struct ota_finished *known = find_finished(state, attempt);
  if (known && known->attempt.number > attempt->number) return;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < state->finished_count; i++)
    if (!same_deployment(&state->finished[i].attempt, attempt)) state->finished[kept++] = state->finished[i];
  if (kept == OTA_FINISHED_MAX) {
    kept--;
    memmove(&state->finished[0], &state->finished[1], kept * sizeof state->finished[0]);
  }
  state->finished[kept].attempt = *attempt;
  state->finished[kept].how = how;
  state->finished_count = kept + 1;
}

static void finish(struct context *it, const struct ota_attempt *attempt, enum ota_outcome how) {
  remember(it->state, attempt, how);
  it->state->job.stage = OTA_IDLE;
  it->step->changed = true;
}

static struct ota_message *say(struct context *it, enum ota_message_kind kind, const struct ota_attempt *attempt) {
  struct ota_message *message = &it->step->messages[it->step->message_count++];
  memset(message, 0, sizeof *message);
  message->kind = kind;
  message->attempt = *attempt;
  it->step->changed = true;
  return message;
}

static void refuse(struct context *it, const struct ota_failure *failure) {
  remember(it->state, &it->event->attempt, OTA_REFUSED);
  say(it, OTA_REQUEST_ACK, &it->event->attempt)->failure = *failure;
}

static void forget_staged(struct ota_state *state) {
  state->staged_size = 0;
  state->staging++;
}

static void go_to(struct context *it, enum ota_stage stage, unsigned effect) {
  it->state->job.stage = stage;
  it->step->effects |= effect;
  it->step->changed = true;
}

static void begin(struct context *it) {
  struct ota_state *state = it->state;
  const struct ota_event *event = it->event;
  if (find_finished(state, &event->attempt)) return;
  if (event->failure.code != OTA_FAILURE_NONE) {
    refuse(it, &event->failure);
    return;
  }
  it->step->component = event->component;
  say(it, OTA_REQUEST_ACK, &event->attempt)->flag = true;
  if (same_digest(event->image.sha256, it->running[event->component].sha256)) {
    // What runs already was not brought by it, and is not for its undo to take back.
    bool brought = ota_machine_has_installed(state, event->attempt.deployment);
    finish(it, &event->attempt, brought ? OTA_SUCCEEDED : OTA_ROLLED_BACK);
    say(it, OTA_RESULT, &event->attempt)->outcome = OTA_SUCCEEDED;
    return;
  }
  state->job = (struct ota_job){.stage = OTA_ACCEPTED,
                                .attempt = event->attempt,
                                .component = event->component,
                                .image = event->image,
                                .deadline = event->deadline};
  if (event->undoes) {
    ota_text_copy(state->job.undoes, sizeof state->job.undoes, event->undoes);
    state->job.installs = 1;
    go_to(it, OTA_INSTALLING, OTA_DO_INSTALL);
    return;
  }
  ota_delta_begin(state, event);
  // Bytes of the same image, staged for an earlier attempt, are as good for this one.
  const uint8_t *digest = ota_delta_event_digest(event);
  if (state->staged_size != ota_delta_event_bytes(event) || !same_digest(state->staged_sha256, digest)) {
    forget_staged(state);
    state->staged_size = ota_delta_event_bytes(event);
    memcpy(state->staged_sha256, digest, OTA_SHA256_BYTES);
  }
  it->step->effects |= OTA_DO_DOWNLOAD;
}

/** A request while a job runs that can still be stopped. */
static void interrupt(struct context *it) {
  const struct ota_event *event = it->event;
  const struct ota_attempt *current = &it->state->job.attempt;
  if (!same_deployment(&event->attempt, current)) {
    hold(it);
    return;
  }
  if (event->attempt.number < current->number) return;
  if (event->attempt.number == current->number) {
    if (!event->has_url) return;
    if (ota_delta_is_other(it->state, event)) {
      // The whole image instead of a patch is always welcome, and never the other way round.
      if (ota_delta_falls_back(it->state, NULL)) go_to(it, OTA_ACCEPTED, OTA_DO_STOP | OTA_DO_DOWNLOAD);
      return;
    }
    it->step->effects |= OTA_DO_USE_FRESH_URL;
    it->step->changed = true;
    return;
  }
  if (find_finished(it->state, &event->attempt)) return;
  // A newer attempt that proves nothing must not stop one that has proved itself.
  if (event->failure.code != OTA_FAILURE_NONE) {
    refuse(it, &event->failure);
    return;
  }
  it->state->job.stage = OTA_IDLE;
  it->step->effects |= OTA_DO_STOP;
  begin(it);
}

/** A request that has to wait; a copy of one that is known is no news. */
static void hold(struct context *it) {
  const struct ota_event *event = it->event;
  const struct ota_attempt *current = &it->state->job.attempt;
  if (same_deployment(&event->attempt, current) && event->attempt.number <= current->number) return;
  if (find_finished(it->state, &event->attempt)) return;
  struct ota_failure busy;
  ota_failure_set(&busy, OTA_FAILURE_BUSY, "busy with ");
  size_t said = strlen(busy.message);
  ota_text_copy(busy.message + said, sizeof busy.message - said, current->deployment);
  refuse(it, &busy);
}

static void receive(struct context *it) { go_to(it, OTA_DOWNLOADING, 0); }

static void verify(struct context *it) { go_to(it, OTA_VERIFYING, OTA_DO_VERIFY); }

static void install(struct context *it) {
  it->state->job.installs++;
  go_to(it, OTA_INSTALLING, OTA_DO_INSTALL);
}

static void reboot(struct context *it) {
  forget_staged(it->state);
  // Before the image boots, which may know of no undo.
  replace_installed(it->state);
  go_to(it, OTA_REBOOTING, OTA_DO_REBOOT);
}

static void tell_result(struct context *it, enum ota_outcome outcome, const struct ota_failure *failure) {
  struct ota_message *message = say(it, OTA_RESULT, &it->state->job.attempt);
  message->outcome = outcome;
  message->has_stats = true;
  message->stats = it->state->job.stats;
  message->failure = *failure;
}

static void fail(struct context *it) {
  const struct ota_failure *failure = &it->event->failure;
  if (ota_delta_falls_back(it->state, failure)) {
    go_to(it, OTA_ACCEPTED, OTA_DO_STOP | OTA_DO_DOWNLOAD);
    return;
  }
  tell_result(it, OTA_FAILED, failure);
  it->step->effects |= OTA_DO_STOP;
  struct ota_attempt attempt = it->state->job.attempt;
  finish(it, &attempt, OTA_FAILED);
  // Bytes that make up the wrong image are worth nothing to the next attempt.
  if (failure->code == OTA_FAILURE_DIGEST_MISMATCH || failure->code == OTA_FAILURE_SIZE_MISMATCH)
    forget_staged(it->state);
}

static void conclude(struct context *it) {
  const struct ota_failure *failure = &it->event->failure;
  enum ota_outcome outcome = OTA_SUCCEEDED;
  // A child has no second slot to go back to.
  if (failure->code != OTA_FAILURE_NONE)
    outcome = it->state->job.component == OTA_MAIN ? OTA_ROLLED_BACK : OTA_FAILED;
  tell_result(it, outcome, failure);
  replace_installed(it->state);
  struct ota_attempt attempt = it->state->job.attempt;
  finish(it, &attempt, outcome);
}

/** A cancel of an attempt that a newer one has replaced, or of another deployment. */
static bool is_elsewhere(const struct context *it) {
  const struct ota_attempt *current = &it->state->job.attempt;
  return !same_deployment(&it->event->attempt, current) || it->event->attempt.number < current->number;
}

static void abandon(struct context *it) {
  if (is_elsewhere(it)) {
    cancel_nothing(it);
    return;
  }
  finish(it, &it->event->attempt, OTA_CANCELLED);
  forget_staged(it->state);
  it->step->effects |= OTA_DO_STOP;
  say(it, OTA_CANCEL_ACK, &it->event->attempt)->flag = true;
}

static void refuse_cancel(struct context *it) {
  if (is_elsewhere(it)) {
    cancel_nothing(it);
    return;
  }
  struct ota_message *message = say(it, OTA_CANCEL_ACK, &it->event->attempt);
  ota_failure_set(&message->failure, OTA_FAILURE_TOO_LATE, "the new image is in place");
}

/**
 * A cancel of something that does not run. When its request is still on the way (or lost), remembering the attempt makes
 * sure that it never starts; so the honest answer is `cancelled`.
 */
static void cancel_nothing(struct context *it) {
  const struct ota_attempt *attempt = &it->event->attempt;
  const struct ota_finished *over = find_finished(it->state, attempt);
  bool booted = over && (over->how == OTA_SUCCEEDED || over->how == OTA_ROLLED_BACK);
  struct ota_message *message = say(it, OTA_CANCEL_ACK, attempt);
  if (booted && over->attempt.number == attempt->number) {
    ota_failure_set(&message->failure, OTA_FAILURE_TOO_LATE, "its image has booted");
    return;
  }
  message->flag = true;
  if (over) return;
  message->failure.code = OTA_FAILURE_UNKNOWN_DEPLOYMENT;
  remember(it->state, attempt, OTA_CANCELLED);
}
