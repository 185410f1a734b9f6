#include "ota_life.h"

#include <string.h>

#include "ota_delta.h"

const struct ota_installer *ota_installer_of(const struct ota_agent *agent, enum ota_component component) {
  return component == OTA_CHILD && agent->config.child ? agent->config.child : agent->config.main;
}

uint64_t ota_security_floor(const struct ota_agent *agent, enum ota_component component) {
  uint64_t running = agent->running[component].security_version;
  uint64_t kept = agent->keep.floors[component];
  return running > kept ? running : kept;
}

/** What runs has proved itself: nothing older in security comes after it. */
static int raise_floors(struct ota_agent *agent) {
  bool raised = false;
  for (unsigned i = 0; i < OTA_COMPONENTS; i++) {
    uint64_t floor = ota_security_floor(agent, (enum ota_component)i);
    raised = raised || floor > agent->keep.floors[i];
    agent->keep.floors[i] = floor;
  }
  return raised ? ota_keep_store(&agent->keep, agent->port) : OTA_OK;
}

uint64_t ota_now(const struct ota_agent *agent) { return agent->port->uptime_ms(agent->port->ctx); }

void ota_fault(struct ota_agent *agent, const char *why) {
  if (agent->ended) return;
  agent->port->log(agent->port->ctx, OTA_LOG_ERROR, why);
  agent->ended = true;
  agent->port->reboot(agent->port->ctx);
}

int ota_store(struct ota_agent *agent) {
  int error = ota_journal_store(&agent->journal);
  if (error != OTA_OK) ota_fault(agent, "the journal cannot be stored, restarting");
  return error;
}

void ota_restart(struct ota_agent *agent, enum ota_boot_reason reason) {
  if (agent->work == OTA_WORK_DOWNLOAD) (void)ota_download_checkpoint(agent);
  agent->journal.state.next_reason = reason;
  if (ota_store(agent) != OTA_OK) return;
  agent->ended = true;
  agent->port->reboot(agent->port->ctx);
}

static void write_stats(const struct ota_agent *agent, struct ota_text *text, const struct ota_stats *stats) {
  ota_text_raw(text, ",\"stats\":{\"downloadMs\":");
  ota_text_number(text, stats->download_ms);
  ota_text_member_number(text, "resumes", stats->resumes);
  ota_text_member_number(text, "receivedBytes", stats->received_bytes);
  ota_text_member_number(text, "redownloadedBytes", stats->redownloaded_bytes);
  ota_delta_write_stats(agent, text);
  ota_text_raw(text, "}");
}

static int write_message(struct ota_agent *agent, const struct ota_message *message, enum ota_component component) {
  static const enum ota_uplink topics[] = {OTA_UP_REQUEST_ACK, OTA_UP_RESULT, OTA_UP_CANCEL_ACK};
  static const char *const flags[] = {",\"accepted\":", "", ",\"cancelled\":"};
  static const char *const outcomes[OTA_OUTCOMES] = {"", "", "succeeded", "failed", "rolled_back"};
  struct ota_text *text = ota_journal_begin(&agent->journal, topics[message->kind], NULL);
  ota_text_member_string(text, "deployment", message->attempt.deployment);
  ota_text_member_number(text, "attempt", message->attempt.number);
  if (message->kind == OTA_RESULT) {
    ota_text_member_string(text, "outcome", outcomes[message->outcome]);
    ota_text_raw(text, ",\"running\":");
    ota_write_running(agent, text, component);
  } else {
    ota_text_raw(text, flags[message->kind]);
    ota_text_raw(text, message->flag ? "true" : "false");
  }
  ota_failure_write(text, &message->failure);
  if (message->has_stats) write_stats(agent, text, &message->stats);
  return ota_journal_end(&agent->journal);
}

/** What stands before a stored URL, and says whose it is: 36 characters, a number and spaces. */
static void name_job(const struct ota_agent *agent, struct ota_text *text, char *buffer, size_t capacity) {
  const struct ota_attempt *attempt = &agent->journal.state.job.attempt;
  ota_text_begin(text, buffer, capacity);
  ota_text_raw(text, attempt->deployment);
  ota_text_raw(text, " ");
  ota_text_number(text, attempt->number);
  ota_text_raw(text, ota_delta_name(agent));
}

/** The URL is stored after the job that wants it: should the power go in between, another one is asked for. */
static int keep_url(struct ota_agent *agent, const char *url) {
  char *kept = agent->config.buffers.url;
  ota_text_copy(kept, OTA_URL_MAX + 1, url);
  struct ota_text text;
  name_job(agent, &text, (char *)agent->config.buffers.work, agent->config.buffers.work_bytes);
  ota_text_raw(&text, kept);
  int bytes = ota_text_end(&text);
  if (bytes < 0) return bytes;
  return agent->port->store_write(agent->port->ctx, OTA_STORE_URL, agent->config.buffers.work, (size_t)bytes);
}

/** The stored URL, if it is the job's. */
static void load_url(struct ota_agent *agent) {
  const struct ota_buffers *buffers = &agent->config.buffers;
  char *stored = (char *)buffers->work;
  buffers->url[0] = '\0';
  int bytes = agent->port->store_read(agent->port->ctx, OTA_STORE_URL, buffers->work, buffers->work_bytes - 1);
  if (bytes <= 0) return;
  stored[bytes] = '\0';
  char expected[OTA_UUID_MAX + 32];
  struct ota_text text;
  name_job(agent, &text, expected, sizeof expected);
  int prefix = ota_text_end(&text);
  if (prefix < 0 || strncmp(stored, expected, (size_t)prefix) != 0) return;
  if (ota_is_https_url(stored + prefix)) ota_text_copy(buffers->url, OTA_URL_MAX + 1, stored + prefix);
}

static void stop_work(struct ota_agent *agent) {
  if (agent->work == OTA_WORK_DOWNLOAD) ota_download_stop(agent);
  agent->work = OTA_WORK_NONE;
  if (agent->journal.state.staged_size == 0) (void)agent->port->staging_clear(agent->port->ctx);
}

/** An image of the child runs as soon as it is started: nothing reboots but the child. */
static void conclude_child(struct ota_agent *agent) {
  const struct ota_installer *child = agent->config.child;
  struct ota_event event = {.type = OTA_EVENT_BOOTED};
  int tested = child->self_test ? child->self_test(child->ctx) : OTA_OK;
  if (tested == OTA_ERR_BUSY) return;
  struct ota_image *running = &agent->running[OTA_CHILD];
  if (child->running(child->ctx, running) != OTA_OK ||
      memcmp(running->sha256, agent->journal.state.job.image.sha256, OTA_SHA256_BYTES) != 0)
    ota_failure_set(&event.failure, OTA_FAILURE_INSTALL_FAILED, "the component does not run the new image");
  else if (tested != OTA_OK) ota_failure_set(&event.failure, OTA_FAILURE_SELF_TEST_FAILED, "");
  else if (raise_floors(agent) != OTA_OK) return;
  ota_apply(agent, &event);
}

/** False when it could not be done: `failure` says why. */
static bool act(struct ota_agent *agent, unsigned effects, struct ota_failure *failure) {
  int error = OTA_OK;
  if (effects & OTA_DO_USE_FRESH_URL) ota_download_fresh_url(agent);
  if (effects & OTA_DO_DOWNLOAD) error = ota_download_start(agent, false);
  if (effects & OTA_DO_VERIFY) error = ota_verify_start(agent);
  if (error != OTA_OK) {
    ota_failure_set(failure, OTA_FAILURE_STORAGE_FAILED, "storage failed");
    return false;
  }
  if ((effects & OTA_DO_INSTALL) && ota_install_start(agent) != OTA_OK) {
    ota_failure_set(failure, OTA_FAILURE_INSTALL_FAILED, "the slot cannot be prepared");
    return false;
  }
  if (effects & OTA_DO_REBOOT) {
    stop_work(agent);
    // The child is asked by ota_trial_poll, as often as it is busy.
    if (agent->journal.state.job.component == OTA_MAIN) {
      agent->ended = true;
      agent->port->reboot(agent->port->ctx);
    }
  }
  return true;
}

/** False when what the table said could not be done. */
static bool apply(struct ota_agent *agent, const struct ota_event *event, const char *url, struct ota_failure *failure) {
  struct ota_step step;
  ota_machine_step(&agent->journal.state, event, agent->running, &step);
  if (!step.changed) return true;
  if (step.effects & OTA_DO_REBOOT) agent->journal.state.next_reason = OTA_BOOT_UPDATE;
  for (unsigned i = 0; i < step.message_count; i++) {
    if (write_message(agent, &step.messages[i], step.component) == OTA_OK) continue;
    ota_fault(agent, "a message cannot be written");
    return true;
  }
  // A fresh URL of the running attempt changes nothing else.
  if (step.effects != OTA_DO_USE_FRESH_URL && ota_store(agent) != OTA_OK) return true;
  if (step.effects & OTA_DO_STOP) stop_work(agent);
  if ((step.effects & (OTA_DO_DOWNLOAD | OTA_DO_USE_FRESH_URL)) && keep_url(agent, url) != OTA_OK) {
    ota_fault(agent, "the URL cannot be stored");
    return true;
  }
  return act(agent, step.effects, failure);
}

/** A failure only stops what runs, and that cannot fail. */
static void apply_failure(struct ota_agent *agent, const struct ota_failure *failure) {
  struct ota_event event = {.type = OTA_EVENT_FAILED, .failure = *failure};
  struct ota_failure none;
  if (agent->work == OTA_WORK_DOWNLOAD) agent->journal.state.job.stats = agent->download.stats;
  (void)apply(agent, &event, "", &none);
}

void ota_apply_request(struct ota_agent *agent, const struct ota_event *event, const char *url) {
  struct ota_failure failure;
  if (!apply(agent, event, url, &failure)) apply_failure(agent, &failure);
}

void ota_apply(struct ota_agent *agent, const struct ota_event *event) { ota_apply_request(agent, event, ""); }

void ota_apply_simple(struct ota_agent *agent, enum ota_event_type type) {
  struct ota_event event = {.type = type};
  ota_apply(agent, &event);
}

void ota_apply_failed(struct ota_agent *agent, enum ota_failure_code code, const char *message) {
  struct ota_failure failure;
  ota_failure_set(&failure, code, message);
  apply_failure(agent, &failure);
}

static void roll_back(struct ota_agent *agent, const char *why) {
  const struct ota_installer *main = agent->config.main;
  struct ota_state *state = &agent->journal.state;
  ota_failure_set(&state->job.rollback, OTA_FAILURE_SELF_TEST_FAILED, why);
  state->next_reason = OTA_BOOT_ROLLBACK;
  if (ota_store(agent) != OTA_OK) return;
  if (main->revert(main->ctx) != OTA_OK) {
    ota_fault(agent, "the rollback cannot be stored");
    return;
  }
  agent->ended = true;
  agent->port->reboot(agent->port->ctx);
}

static int measure(struct ota_agent *agent, enum ota_component component) {
  const struct ota_installer *installer = ota_installer_of(agent, component);
  struct ota_image *image = &agent->running[component];
  int error = installer->running(installer->ctx, image);
  if (error != OTA_ERR_ABSENT) return error;
  *image = (struct ota_image){.version = "none"};
  return OTA_OK;
}

static const char *reason_name(enum ota_boot_reason reason) {
  static const char *const names[] = {"power_on", "update", "rollback", "watchdog", "command", "unknown"};
  return names[reason <= OTA_BOOT_UNKNOWN ? reason : OTA_BOOT_UNKNOWN];
}

/** The boot is decided: says what runs, ends an update that it was about, and goes on with one that it interrupted. */
static int settle(struct ota_agent *agent) {
  struct ota_journal *journal = &agent->journal;
  struct ota_job *job = &journal->state.job;
  if (raise_floors(agent) != OTA_OK) return OTA_ERR_STORAGE;
  struct ota_text *text = ota_journal_begin(journal, OTA_UP_HEALTH, NULL);
  ota_write_health(agent, text);
  ota_text_raw(text, ",\"boot\":{\"count\":");
  ota_text_number(text, journal->state.boot_count);
  ota_text_member_string(text, "reason", reason_name(agent->boot_reason));
  ota_text_raw(text, "}");
  if (ota_journal_end(journal) != OTA_OK) return OTA_ERR_SPACE;
  if (job->stage == OTA_REBOOTING && job->component == OTA_MAIN) {
    struct ota_event event = {.type = OTA_EVENT_BOOTED};
    if (memcmp(agent->running[OTA_MAIN].sha256, job->image.sha256, OTA_SHA256_BYTES) != 0) {
      event.failure = job->rollback;
      if (event.failure.code == OTA_FAILURE_NONE)
        ota_failure_set(&event.failure, OTA_FAILURE_BOOT_FAILED, "the new image did not prove itself");
    }
    // One write with the health report.
    ota_apply(agent, &event);
    return agent->ended ? OTA_ERR_STORAGE : OTA_OK;
  }
  if (ota_journal_store(journal) != OTA_OK) return OTA_ERR_STORAGE;
  if (journal->state.staged_size == 0 && agent->port->staging_bytes(agent->port->ctx) > 0)
    (void)agent->port->staging_clear(agent->port->ctx);
  if (job->stage == OTA_ACCEPTED || job->stage == OTA_DOWNLOADING) {
    load_url(agent);
    if (ota_download_start(agent, true) != OTA_OK) return OTA_ERR_STORAGE;
  } else if (job->stage == OTA_VERIFYING || job->stage == OTA_INSTALLING) {
    struct ota_failure failure;
    agent->download.received_bytes = job->image.size;
    if (!act(agent, job->stage == OTA_VERIFYING ? OTA_DO_VERIFY : OTA_DO_INSTALL, &failure)) apply_failure(agent, &failure);
  }
  return OTA_OK;
}

int ota_boot(struct ota_agent *agent, uint64_t now) {
  const struct ota_port *port = agent->port;
  const struct ota_installer *main = agent->config.main;
  struct ota_state *state = &agent->journal.state;
  if (measure(agent, OTA_MAIN) != OTA_OK) return OTA_ERR_STORAGE;
  if (agent->config.child && measure(agent, OTA_CHILD) != OTA_OK) return OTA_ERR_STORAGE;
  int trial = main->trial(main->ctx);
  if (trial < 0) return OTA_ERR_STORAGE;
  // This program knows of no child, whose image must not end up in the main slot. Whoever asks again is told.
  if (!agent->config.child && state->job.component == OTA_CHILD) state->job.stage = OTA_IDLE;
  ota_machine_after_boot(state, agent->running);
  bool is_target = memcmp(agent->running[OTA_MAIN].sha256, state->job.image.sha256, OTA_SHA256_BYTES) == 0;
  agent->boot_reason = state->next_reason == OTA_BOOT_UNKNOWN ? port->boot_reason(port->ctx) : state->next_reason;
  // A bootloader that went back by itself has told nobody.
  if (state->job.stage == OTA_REBOOTING && state->job.component == OTA_MAIN && !is_target)
    agent->boot_reason = OTA_BOOT_ROLLBACK;
  // The journal may be older than what was kept, or the other way round: after an update from a firmware that kept nothing.
  if (agent->keep.boot_count < state->boot_count) agent->keep.boot_count = state->boot_count;
  state->boot_count = ++agent->keep.boot_count;
  if (ota_keep_store(&agent->keep, port) != OTA_OK) return OTA_ERR_STORAGE;
  state->next_reason = OTA_BOOT_UNKNOWN;
  agent->on_trial = trial > 0;
  if (!agent->on_trial) return settle(agent);
  agent->trial_ends_at = now + agent->config.timing.self_test_ms;
  return ota_journal_store(&agent->journal);
}

void ota_trial_poll(struct ota_agent *agent, uint64_t now) {
  const struct ota_installer *main = agent->config.main;
  const struct ota_job *job = &agent->journal.state.job;
  if (job->stage == OTA_REBOOTING && job->component == OTA_CHILD) conclude_child(agent);
  if (!agent->on_trial) return;
  if (!agent->self_tested) {
    int tested = main->self_test ? main->self_test(main->ctx) : OTA_OK;
    agent->self_tested = tested == OTA_OK;
    if (tested != OTA_OK && tested != OTA_ERR_BUSY) {
      roll_back(agent, "the image failed its own self-test");
      return;
    }
    if (agent->self_tested && agent->session.state == OTA_ONLINE) {
      ota_online(agent, now);
      return;
    }
  }
  if (now >= agent->trial_ends_at) roll_back(agent, agent->self_tested ? "no connection in time" : "no verdict in time");
}

void ota_online(struct ota_agent *agent, uint64_t now) {
  const struct ota_installer *main = agent->config.main;
  // Nothing is reported of a new image before it is confirmed.
  if (agent->on_trial && !agent->self_tested) return;
  if (agent->on_trial) {
    if (main->confirm(main->ctx) != OTA_OK) {
      ota_fault(agent, "the confirmation cannot be stored");
      return;
    }
    agent->on_trial = false;
    ota_agent_log(agent, OTA_LOG_INFO, "the new image is confirmed");
    if (settle(agent) != OTA_OK) {
      ota_fault(agent, "the journal cannot be stored, restarting");
      return;
    }
  }
  ota_journal_online(&agent->journal);
  ota_download_online(agent);
  if (ota_renewal_check(agent, now) == OTA_ERR_STORAGE) ota_fault(agent, "a new key cannot be stored");
}
