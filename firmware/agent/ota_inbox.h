/** Reads what comes from the broker, as strictly as emqx/protocol.ts. Texts point into the message itself. */
#ifndef OTA_INBOX_H
#define OTA_INBOX_H

#include "ota_json.h"
#include "ota_state.h"

#define OTA_DOWNLINK_MAX 4096u
#define OTA_CERTIFICATE_DOWNLINK_MAX 8192u

struct ota_request {
  struct ota_attempt attempt;
  /** The attempt could be read: even what cannot be carried out deserves an answer. */
  bool named;
  /** Null when it came without, as an undo does. */
  const char *url;
  char *manifest;
  struct ota_deadline deadline;
};

struct ota_control {
  const char *id;
  const char *command;
  /** A JSON object, or empty. */
  const char *args;
};

struct ota_certificate {
  const char *request;
  /** Null unless issued. */
  const char *certificate;
  const char *chain;
  /** Null unless refused. */
  const char *error;
};

/** All of them: OTA_OK, or OTA_ERR_SCHEMA. `json` holds the message. */

/** OTA_ERR_URL: all is well but the URL. */
int ota_read_request(struct ota_json *json, struct ota_request *request);
int ota_read_cancel(struct ota_json *json, struct ota_attempt *attempt);
int ota_read_control(struct ota_json *json, struct ota_control *control);
int ota_read_certificate(struct ota_json *json, struct ota_certificate *certificate);
/** At least 1 and at most `capacity` (64) ids. */
int ota_read_ack(struct ota_json *json, const char **ids, size_t capacity, size_t *count);

#endif
