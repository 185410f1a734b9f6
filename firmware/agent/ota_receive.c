#include <string.h>

#include "ota_delta.h"
#include "ota_field.h"
#include "ota_life.h"
#include "ota_manifest.h"

static const char no_url[] = "url: not an https URL";

/**
 * An undo is obeyed in time, by a device that runs what the deployment brought it; one that runs the older image has nothing to do. A child
 * has one place for its image, and none to go back to.
 */
static void check_undo(struct ota_agent *agent, const struct ota_manifest *manifest, struct ota_event *event) {
  const uint8_t *running = agent->running[OTA_MAIN].sha256;
  if (memcmp(running, manifest->image.sha256, OTA_SHA256_BYTES) == 0) return;
  int64_t now = agent->port->unix_ms(agent->port->ctx);
  enum ota_failure_code code = OTA_FAILURE_UNDO_REFUSED;
  const char *why = "nothing to undo here";
  if (event->component == OTA_MAIN && memcmp(running, manifest->leaves, OTA_SHA256_BYTES) == 0 &&
      ota_machine_has_installed(&agent->journal.state, manifest->undoes)) {
    why = "expired, or no clock";
    if (now < 0) code = OTA_FAILURE_BUSY;
    else if ((uint64_t)now < manifest->expires_unix_ms) return;
  }
  ota_failure_set(&event->failure, code, why);
}

/** Signature first, then the schema, then whether it is for this device. */
static void verify_manifest(struct ota_agent *agent, char *jws, struct ota_event *event) {
  const struct ota_config *config = &agent->config;
  char *payload = (char *)config->buffers.work;
  struct ota_manifest manifest;
  int bytes = ota_jws_open(agent->port, config->keys, config->key_count, &agent->json, jws, config->buffers.work,
                           config->buffers.work_bytes);
  if (bytes == OTA_ERR_SIGNATURE) {
    ota_failure_set(&event->failure, OTA_FAILURE_SIGNATURE_INVALID, "");
    return;
  }
  if (bytes < 0 || ota_manifest_read(&agent->json, payload, (size_t)bytes, &manifest) != OTA_OK) {
    ota_failure_set(&event->failure, OTA_FAILURE_MANIFEST_INVALID, bytes < 0 ? "not a signed manifest" : "not the schema of a manifest");
    return;
  }
  bool child = config->child && strcmp(manifest.component, config->child->component) == 0;
  bool known = child || strcmp(manifest.component, config->main->component) == 0;
  event->component = child ? OTA_CHILD : OTA_MAIN;
  const struct ota_installer *installer = known ? ota_installer_of(agent, event->component) : NULL;
  ota_manifest_check(&manifest, installer, ota_security_floor(agent, event->component), &event->failure);
  event->image = manifest.image;
  event->undoes = manifest.undoes;
  if (event->failure.code != OTA_FAILURE_NONE) return;
  if (event->undoes) check_undo(agent, &manifest, event);
  else if (!event->has_url) ota_failure_set(&event->failure, OTA_FAILURE_URL_REFUSED, no_url);
  else ota_delta_offer(agent, event);
}

static void receive_request(struct ota_agent *agent) {
  struct ota_request request = {0};
  struct ota_event event = {.type = OTA_EVENT_REQUEST};
  int problem = ota_read_request(&agent->json, &request);
  if (!request.named) {
    ota_agent_log(agent, OTA_LOG_WARN, "ignored a request that names no attempt");
    return;
  }
  event.attempt = request.attempt;
  event.has_url = problem == OTA_OK && request.url;
  event.deadline = request.deadline;
  if (problem == OTA_ERR_URL) ota_failure_set(&event.failure, OTA_FAILURE_URL_REFUSED, no_url);
  else if (problem != OTA_OK) ota_failure_set(&event.failure, OTA_FAILURE_BAD_REQUEST, "not the schema of a request");
  else verify_manifest(agent, request.manifest, &event);
  ota_apply_request(agent, &event, event.has_url ? request.url : "");
}

static void receive_cancel(struct ota_agent *agent) {
  struct ota_event event = {.type = OTA_EVENT_CANCEL};
  if (ota_read_cancel(&agent->json, &event.attempt) == OTA_OK) ota_apply(agent, &event);
  else ota_agent_log(agent, OTA_LOG_WARN, "ignored a cancel that is none");
}

static void receive_ack(struct ota_agent *agent) {
  const char *ids[64];
  size_t count = 0;
  bool forgot = false;
  if (ota_read_ack(&agent->json, ids, sizeof ids / sizeof ids[0], &count) != OTA_OK) return;
  for (size_t i = 0; i < count; i++) forgot = ota_journal_forget(&agent->journal, ids[i]) || forgot;
  if (forgot) (void)ota_store(agent);
}

static void receive_certificate(struct ota_agent *agent) {
  struct ota_certificate certificate;
  if (ota_read_certificate(&agent->json, &certificate) != OTA_OK) return;
  // The answer is the ack. The request leaves the outbox only after what it brought is stored.
  if (ota_renewal_answered(agent, &certificate) != OTA_OK) {
    ota_fault(agent, "certificate storage failed");
    return;
  }
  if (ota_journal_forget(&agent->journal, certificate.request)) (void)ota_store(agent);
}

static void receive_control(struct ota_agent *agent) {
  struct ota_control control;
  if (ota_read_control(&agent->json, &control) == OTA_OK) ota_answer_command(agent, &control);
}

void ota_receive(struct ota_agent *agent, const char *topic, size_t bytes) {
  static const struct {
    const char *topic;
    size_t max_bytes;
    void (*handle)(struct ota_agent *agent);
  } handlers[] = {
      {"firmware/download/request", OTA_DOWNLINK_MAX, receive_request},
      {"firmware/download/cancel", OTA_DOWNLINK_MAX, receive_cancel},
      {"ack", OTA_DOWNLINK_MAX, receive_ack},
      {"control/command", OTA_DOWNLINK_MAX, receive_control},
      {"cert/renew/response", OTA_CERTIFICATE_DOWNLINK_MAX, receive_certificate},
  };
  char *inbox = agent->config.buffers.inbox;
  for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++) {
    if (strcmp(handlers[i].topic, topic) != 0) continue;
    if (bytes > handlers[i].max_bytes || bytes >= agent->config.buffers.inbox_bytes) {
      ota_agent_log(agent, OTA_LOG_WARN, "ignored a message that is too large");
    } else {
      inbox[bytes] = '\0';
      int problem = ota_json_object(&agent->json, inbox, bytes);
      if (problem == OTA_OK) handlers[i].handle(agent);
      else ota_agent_log(agent, OTA_LOG_WARN, "ignored a message that is no JSON object");
    }
    return;
  }
}
