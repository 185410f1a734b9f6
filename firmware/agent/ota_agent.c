#include "ota_agent.h"

#include <string.h>

#include "ota_delta.h"
#include "ota_life.h"
#include "ota_pace.h"

const struct ota_timing ota_default_timing = {
    .reconnect_min_ms = 500,
    .reconnect_max_ms = 60000,
    .connect_ms = 20000,
    .resend_min_ms = 10000,
    .resend_max_ms = 300000,
    .retry_min_ms = 500,
    .retry_max_ms = 60000,
    .url_refresh_min_ms = 5000,
    .url_refresh_max_ms = 300000,
    .stall_ms = 20000,
    .fast_chunk_ms = 1000,
    .slow_chunk_ms = 8000,
    .checkpoint_ms = 1000,
    .progress_ms = 500,
    .telemetry_ms = 15000,
    .self_test_ms = 300000,
    .renew_check_ms = 3600000,
    .renew_retry_ms = 900000,
    .ask_again_ms = 60000,
};

const struct ota_limits ota_default_limits = {
    .chunk_floor_bytes = 16 * 1024,
    .chunk_start_bytes = 64 * 1024,
    .chunk_ceiling_bytes = 1024 * 1024,
    .checkpoint_chunks = 4,
    .network_failures = 60,
    .response_failures = 8,
    .url_refusals = 8,
    .renewed_connects = 3,
};

/** All of a port but its optional end is pointers to functions, one after the other: looked at as such, they need no list. */
static bool is_port_complete(const struct ota_port *port) {
  typedef int (*callback)(void *ctx);
  static const callback none = NULL;
  if (!port) return false;
  for (size_t at = offsetof(struct ota_port, mqtt_connect); at < offsetof(struct ota_port, telemetry); at += sizeof none)
    if (memcmp((const uint8_t *)port + at, (const void *)&none, sizeof none) == 0) return false;
  return true;
}

static bool is_installer_complete(const struct ota_installer *installer, bool is_main) {
  return installer && installer->component && installer->hardware && ota_is_component(installer->component) &&
         installer->slot_bytes > 0 && installer->running && installer->begin && installer->write &&
         installer->finish && installer->read && installer->activate &&
         (!is_main || (installer->trial && installer->confirm && installer->revert));
}

static bool is_config_complete(const struct ota_config *config) {
  const struct ota_buffers *buffers = &config->buffers;
  const struct ota_limits *limits = &config->limits;
  return is_port_complete(config->port) && is_installer_complete(config->main, true) &&
         (!config->child || is_installer_complete(config->child, false)) && config->keys && config->key_count > 0 &&
         buffers->inbox && buffers->inbox_bytes >= OTA_INBOX_MIN_BYTES && buffers->work &&
         buffers->work_bytes >= OTA_WORK_MIN_BYTES && buffers->work_bytes <= INT32_MAX && buffers->journal &&
         buffers->journal_bytes >= OTA_JOURNAL_MIN_BYTES && buffers->url && limits->chunk_floor_bytes > 0 &&
         limits->chunk_floor_bytes <= limits->chunk_start_bytes &&
         limits->chunk_start_bytes <= limits->chunk_ceiling_bytes;
}

int ota_agent_init(struct ota_agent *agent, const struct ota_config *config) {
  if (!agent || !config || !is_config_complete(config)) return OTA_ERR_ARGUMENT;
  memset(agent, 0, sizeof *agent);
  agent->config = *config;
  agent->port = config->port;
  config->buffers.url[0] = '\0';
  int error = ota_keep_load(&agent->keep, config->port);
  if (error == OTA_OK)
    error = ota_journal_load(&agent->journal, config->port, config->buffers.journal, config->buffers.journal_bytes);
  if (error != OTA_OK) return error;
  agent->journal.epoch = agent->keep.epoch;
  uint64_t now = ota_now(agent);
  agent->session.due_at = now;
  agent->renewal.check_at = now;
  agent->telemetry_at = now + config->timing.telemetry_ms;
  return ota_boot(agent, now);
}

/** Does one block of what the job wants; returns when it wants more. */
static uint64_t poll_work(struct ota_agent *agent, uint64_t now) {
  switch (agent->work) {
    case OTA_WORK_DOWNLOAD:
      return ota_download_poll(agent, now);
    case OTA_WORK_VERIFY:
      ota_verify_poll(agent);
      return now;
    case OTA_WORK_INSTALL:
      ota_install_poll(agent);
      return now;
    case OTA_WORK_CONSENT:
      return ota_consent_poll(agent, now);
    case OTA_WORK_NONE:
    default:
      return 0;
  }
}

/** What happens by the clock alone; returns when the next is due. */
static uint64_t poll_clocks(struct ota_agent *agent, uint64_t now) {
  const struct ota_timing *timing = &agent->config.timing;
  uint64_t next = agent->session.due_at;
  if (agent->on_trial) return ota_earlier(next, agent->self_tested ? agent->trial_ends_at : now + 50);
  if (agent->journal.state.job.stage == OTA_REBOOTING) next = ota_earlier(next, now + 50);
  if (agent->renewal.check_at <= now && ota_renewal_check(agent, now) == OTA_ERR_STORAGE)
    ota_fault(agent, "a new key cannot be stored");
  if (agent->telemetry_at <= now) {
    ota_report_telemetry(agent);
    // Half to one and a half of the interval, so that a fleet does not speak in chorus.
    agent->telemetry_at = now + ota_backoff_ms(agent->port, 0, timing->telemetry_ms, timing->telemetry_ms);
  }
  if (agent->session.state == OTA_ONLINE && !agent->ended) {
    uint64_t due = ota_journal_send(&agent->journal, now, timing->resend_min_ms, timing->resend_max_ms);
    next = ota_earlier(next, due);
  }
  return ota_earlier(ota_earlier(next, agent->renewal.check_at), agent->telemetry_at);
}

uint32_t ota_agent_poll(struct ota_agent *agent) {
  const uint32_t longest_ms = 60000;
  uint64_t now = ota_now(agent);
  if (agent->ended) return longest_ms;
  if (ota_session_poll(agent, now)) return 0;
  if (!agent->ended) ota_trial_poll(agent, now);
  uint64_t next = agent->ended ? 0 : poll_clocks(agent, now);
  // On trial nothing else is done: an image must prove itself before it is trusted with an update.
  if (!agent->ended && !agent->on_trial) next = ota_earlier(next, poll_work(agent, now));
  now = ota_now(agent);
  if (agent->ended || next == 0 || next > now + longest_ms) return longest_ms;
  return next > now ? (uint32_t)(next - now) : 0;
}

bool ota_agent_ended(const struct ota_agent *agent) { return agent->ended; }

int ota_agent_suspend(struct ota_agent *agent) {
  return agent->work == OTA_WORK_DOWNLOAD && !agent->ended ? ota_download_checkpoint(agent) : OTA_OK;
}

void ota_agent_snapshot(const struct ota_agent *agent, struct ota_snapshot *snapshot) {
  const struct ota_job *job = &agent->journal.state.job;
  bool busy = job->stage != OTA_IDLE;
  *snapshot = (struct ota_snapshot){
      .stage = job->stage,
      .on_trial = agent->on_trial,
      .online = agent->session.state == OTA_ONLINE,
      .component = busy ? ota_installer_of(agent, job->component)->component : NULL,
      .version = busy ? job->image.version : NULL,
      .deferred = agent->work == OTA_WORK_CONSENT && agent->consent.deferred ? agent->consent.reason : NULL,
      .received_bytes = busy ? ota_delta_made(agent, agent->download.received_bytes) : 0,
      .total_bytes = busy ? job->image.size : 0,
      .chunk_bytes = busy ? agent->download.chunk_bytes : 0,
      .boot_count = agent->journal.state.boot_count,
      .outbox_messages = agent->journal.count,
      .running = &agent->running[OTA_MAIN],
  };
}
