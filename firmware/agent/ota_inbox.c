#include "ota_inbox.h"

#include <string.h>

static bool is_time_or_null(struct ota_json *json, int value) {
  if (ota_json_is_null(json, value)) return true;
  const char *text = ota_json_string(json, value);
  return text && ota_is_time(text);
}

/** The `id` of a message whose `id` and `at` are as they should be, else null. */
static const char *read_base(struct ota_json *json) {
  const char *id = ota_json_text(json, 0, "id");
  return id && ota_is_id(id) && is_time_or_null(json, ota_json_member(json, 0, "at")) ? id : NULL;
}

static int read_attempt(struct ota_json *json, struct ota_attempt *attempt) {
  const char *deployment = ota_json_text(json, 0, "deployment");
  if (!deployment || !ota_is_uuid(deployment)) return OTA_ERR_SCHEMA;
  ota_text_copy(attempt->deployment, sizeof attempt->deployment, deployment);
  int error = ota_json_whole(json, ota_json_member(json, 0, "attempt"), &attempt->number);
  return error == OTA_OK && attempt->number == 0 ? OTA_ERR_SCHEMA : error;
}

/** An optional string: null when absent. */
static bool read_optional(struct ota_json *json, int object, const char *name, const char **text) {
  int value = ota_json_member(json, object, name);
  *text = value < 0 ? NULL : ota_json_string(json, value);
  return value < 0 || *text;
}

/** A server that knows of none sets none. */
static bool read_deadline(struct ota_json *json, struct ota_deadline *deadline) {
  int time = ota_json_member(json, 0, "deadlineUnixMs");
  const char *then = NULL;
  deadline->unix_ms = 0;
  if (time >= 0 && ota_json_whole(json, time, &deadline->unix_ms) != OTA_OK) return false;
  if (!read_optional(json, 0, "atDeadline", &then)) return false;
  deadline->give_up = !then || strcmp(then, "give_up") == 0;
  return deadline->give_up || strcmp(then, "proceed") == 0;
}

int ota_read_request(struct ota_json *json, struct ota_request *request) {
  request->named = read_attempt(json, &request->attempt) == OTA_OK;
  if (!request->named) return OTA_ERR_SCHEMA;
  const char *expires = NULL;
  if (!read_optional(json, 0, "url", &request->url) || (request->url && !ota_is_https_url(request->url))) return OTA_ERR_URL;
  request->manifest = ota_json_text(json, 0, "manifest");
  size_t manifest = request->manifest ? strlen(request->manifest) : 0;
  bool good = manifest >= 1 && manifest <= 2048 && read_optional(json, 0, "urlExpiresAt", &expires) &&
              (!expires || ota_is_time(expires)) && read_base(json) && read_deadline(json, &request->deadline);
  return good ? OTA_OK : OTA_ERR_SCHEMA;
}

int ota_read_cancel(struct ota_json *json, struct ota_attempt *attempt) {
  return read_base(json) ? read_attempt(json, attempt) : OTA_ERR_SCHEMA;
}

int ota_read_control(struct ota_json *json, struct ota_control *control) {
  control->id = read_base(json);
  control->command = ota_json_text(json, 0, "command");
  if (!control->id || !control->command || !ota_is_command(control->command)) return OTA_ERR_SCHEMA;
  int args = ota_json_member(json, 0, "args");
  control->args = "";
  if (args < 0) return OTA_OK;
  if (!ota_json_is(json, args, OTA_JSON_OBJECT)) return OTA_ERR_SCHEMA;
  // Whatever followed the arguments has been read by now.
  json->text[json->tokens[args].end] = '\0';
  control->args = json->text + json->tokens[args].start;
  return OTA_OK;
}

static bool is_certificate_error(const char *code) {
  static const char *const codes[] = {"csr_malformed",  "csr_signature_invalid", "csr_name_mismatch",
                                      "csr_key_refused", "csr_too_large",         "csr_name_refused",
                                      "csr_extension_refused", "not_due",         "device_banned",
                                      "ca_unavailable"};
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
    if (strcmp(codes[i], code) == 0) return true;
  return false;
}

int ota_read_certificate(struct ota_json *json, struct ota_certificate *certificate) {
  certificate->request = ota_json_text(json, 0, "request");
  certificate->error = NULL;
  if (!read_base(json) || !certificate->request || !ota_is_id(certificate->request) ||
      !read_optional(json, 0, "certificate", &certificate->certificate) ||
      !read_optional(json, 0, "chain", &certificate->chain))
    return OTA_ERR_SCHEMA;
  int error = ota_json_member(json, 0, "error");
  if (error < 0) return OTA_OK;
  const char *message = NULL;
  certificate->error = ota_json_text(json, error, "code");
  if (!certificate->error || !is_certificate_error(certificate->error) ||
      !read_optional(json, error, "message", &message) || (message && ota_json_units(message) > 256))
    return OTA_ERR_SCHEMA;
  return OTA_OK;
}

int ota_read_ack(struct ota_json *json, const char **ids, size_t capacity, size_t *count) {
  int array = ota_json_member(json, 0, "ids");
  *count = 0;
  if (!ota_json_is(json, array, OTA_JSON_ARRAY)) return OTA_ERR_SCHEMA;
  for (int it = ota_json_element(json, array, array); it >= 0; it = ota_json_element(json, array, it)) {
    const char *id = ota_json_string(json, it);
    if (!id || !ota_is_id(id) || *count == capacity) return OTA_ERR_SCHEMA;
    ids[(*count)++] = id;
  }
  return *count > 0 ? OTA_OK : OTA_ERR_SCHEMA;
}
