#include "ota_reporter.h"

#include "ota_delta.h"
#include "ota_life.h"
#include "ota_pace.h"
#include "ota_seal.h"

/** Begins a message in the work buffer, half of which stays free for what others write. */
static void begin(struct ota_agent *agent, struct ota_text *text) {
  const struct ota_port *port = agent->port;
  char id[OTA_RANDOM_ID_CHARS + 1];
  bool nameless = ota_random_id(port, id) != OTA_OK;
  ota_text_begin(text, (char *)agent->config.buffers.work, agent->config.buffers.work_bytes / 2);
  ota_text_head(text, id, port->unix_ms(port->ctx));
  // Nobody could tell it from another: it is not sent.
  text->overflow = text->overflow || nameless;
}

static void send(struct ota_agent *agent, const char *topic, struct ota_text *text) {
  ota_text_raw(text, "}");
  int bytes = ota_text_end(text);
  if (bytes > 0) (void)agent->port->mqtt_publish(agent->port->ctx, topic, text->at, (size_t)bytes);
}

static bool is_online(const struct ota_agent *agent) { return agent->session.state == OTA_ONLINE; }

static const char *stage_name(enum ota_stage stage) {
  static const char *const names[OTA_STAGES] = {"downloading", "downloading", "downloading", "verifying", "installing", "downloading"};
  return names[stage];
}

static void measure_rate(struct ota_reporter *reporter, uint32_t received, uint64_t elapsed_ms) {
  uint32_t more = received > reporter->progress_bytes ? received - reporter->progress_bytes : 0;
  uint64_t rate = (uint64_t)more * 1000 / elapsed_ms;
  reporter->bytes_per_second =
      (uint32_t)(reporter->bytes_per_second == 0 ? rate : (reporter->bytes_per_second * UINT64_C(3) + rate * 2) / 5);
}

void ota_report_progress(struct ota_agent *agent, bool url_expired) {
  struct ota_reporter *reporter = &agent->reporter;
  const struct ota_job *job = &agent->journal.state.job;
  enum ota_stage stage = job->stage == OTA_ACCEPTED ? OTA_DOWNLOADING : job->stage;
  uint64_t now = ota_now(agent);
  uint64_t elapsed = now - reporter->progress_at;
  uint32_t received = ota_delta_made(agent, agent->download.received_bytes);
  bool same = stage == reporter->stage && job->attempt.number == reporter->attempt;
  if (same && elapsed < agent->config.timing.progress_ms && !url_expired) return;
  if (!same) reporter->bytes_per_second = 0;
  else if (elapsed > 0) measure_rate(reporter, received, elapsed);
  reporter->progress_at = now;
  reporter->progress_bytes = received;
  reporter->stage = stage;
  reporter->attempt = job->attempt.number;
  if (!is_online(agent)) return;

  struct ota_text text;
  begin(agent, &text);
  ota_text_member_string(&text, "deployment", job->attempt.deployment);
  ota_text_member_number(&text, "attempt", job->attempt.number);
  ota_text_member_string(&text, "stage", stage_name(stage));
  ota_text_member_number(&text, "receivedBytes", received);
  ota_text_member_number(&text, "totalBytes", job->image.size);
  if (agent->download.chunk_bytes > 0) ota_text_member_number(&text, "chunkBytes", agent->download.chunk_bytes);
  if (reporter->bytes_per_second > 0) ota_text_member_number(&text, "bytesPerSecond", reporter->bytes_per_second);
  if (url_expired) ota_text_raw(&text, ",\"urlExpired\":true");
  ota_delta_write_progress(agent, &text);
  ota_consent_write(agent, &text);
  send(agent, ota_uplink_topics[OTA_UP_PROGRESS], &text);
}

void ota_report_telemetry(struct ota_agent *agent) {
  const struct ota_port *port = agent->port;
  const struct ota_buffers *buffers = &agent->config.buffers;
  char *fields = (char *)buffers->work + buffers->work_bytes / 2;
  size_t capacity = buffers->work_bytes / 2 - 256;
  const char *topic = NULL;
  for (unsigned index = 0; port->telemetry && is_online(agent); index++) {
    fields[0] = '\0';
    if (port->telemetry(port->ctx, index, &topic, fields, capacity) != OTA_OK) return;
    struct ota_text text;
    begin(agent, &text);
    if (fields[0] != '\0') ota_text_raw(&text, ",");
    ota_text_raw(&text, fields);
    send(agent, topic, &text);
  }
}

void ota_write_running(struct ota_agent *agent, struct ota_text *text, enum ota_component component) {
  const struct ota_image *image = &agent->running[component];
  ota_text_raw(text, "{\"component\":");
  ota_text_string(text, ota_installer_of(agent, component)->component);
  // Only a child has a hardware of its own; the main component's is the device's.
  if (component != OTA_MAIN) ota_text_member_string(text, "hardware", ota_installer_of(agent, component)->hardware);
  ota_text_member_string(text, "version", image->version);
  ota_text_member_number(text, "securityVersion", image->security_version);
  ota_text_raw(text, ",\"sha256\":");
  ota_text_hex(text, image->sha256, OTA_SHA256_BYTES);
  if (component == OTA_MAIN) {
    ota_delta_write_ability(agent, text);
    ota_seal_write_ability(agent, text);
  }
  ota_text_raw(text, component == OTA_MAIN ? ",\"undo\":true}" : "}");
}

void ota_write_identity(struct ota_agent *agent, struct ota_text *text) {
  ota_text_raw(text, "\"running\":[");
  ota_write_running(agent, text, OTA_MAIN);
  if (agent->config.child) {
    ota_text_raw(text, ",");
    ota_write_running(agent, text, OTA_CHILD);
  }
  ota_text_raw(text, "],\"hardware\":");
  ota_text_string(text, agent->config.main->hardware);
}

void ota_write_health(struct ota_agent *agent, struct ota_text *text) {
  ota_text_raw(text, ",\"state\":\"ok\",");
  ota_write_identity(agent, text);
  if (agent->port->health) agent->port->health(agent->port->ctx, text);
}

void ota_report_health(struct ota_agent *agent) {
  struct ota_text text;
  if (!is_online(agent)) return;
  begin(agent, &text);
  ota_write_health(agent, &text);
  send(agent, ota_uplink_topics[OTA_UP_HEALTH], &text);
}

void ota_agent_log(struct ota_agent *agent, enum ota_log_level level, const char *text) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  struct ota_text message;
  agent->port->log(agent->port->ctx, level, text);
  if (level == OTA_LOG_DEBUG || !is_online(agent)) return;
  begin(agent, &message);
  ota_text_member_string(&message, "level", names[level]);
  ota_text_member_string(&message, "message", text);
  send(agent, ota_uplink_topics[OTA_UP_LOG], &message);
}
