/** Why the device refused, failed or gave up, as emqx/protocol.ts names it. */
#ifndef OTA_FAILURE_H
#define OTA_FAILURE_H

#include "ota_text.h"

/** Each code with its name. The order is stored. */
#define OTA_FAILURES(X) \
  X(NONE, "none") \
  X(BUSY, "busy") \
  X(BAD_REQUEST, "bad_request") \
  X(URL_REFUSED, "url_refused") \
  X(MANIFEST_INVALID, "manifest_invalid") \
  X(SIGNATURE_INVALID, "signature_invalid") \
  X(HARDWARE_MISMATCH, "hardware_mismatch") \
  X(COMPONENT_UNKNOWN, "component_unknown") \
  X(DOWNGRADE_REFUSED, "downgrade_refused") \
  X(SIZE_MISMATCH, "size_mismatch") \
  X(DIGEST_MISMATCH, "digest_mismatch") \
  X(DOWNLOAD_FAILED, "download_failed") \
  X(STORAGE_FAILED, "storage_failed") \
  X(INSTALL_FAILED, "install_failed") \
  X(BOOT_FAILED, "boot_failed") \
  X(SELF_TEST_FAILED, "self_test_failed") \
  X(TOO_LATE, "too_late") \
  X(UNKNOWN_DEPLOYMENT, "unknown_deployment") \
  X(UNKNOWN_COMMAND, "unknown_command") \
  X(COMMAND_FAILED, "command_failed") \
  X(DEFERRED_TOO_LONG, "deferred_too_long") \
  X(UNDO_REFUSED, "undo_refused") \
  /* A new one goes here. */

enum ota_failure_code {
#define X(code, name) OTA_FAILURE_##code,
  OTA_FAILURES(X)
#undef X
  OTA_FAILURE_CODES,
};

#define OTA_FAILURE_MESSAGE_MAX 79u

struct ota_failure {
  enum ota_failure_code code;
  /** May be empty. */
  char message[OTA_FAILURE_MESSAGE_MAX + 1];
};

void ota_failure_set(struct ota_failure *failure, enum ota_failure_code code, const char *message);

/** `,"error":{…}`; nothing when there is none. */
void ota_failure_write(struct ota_text *text, const struct ota_failure *failure);

#endif
