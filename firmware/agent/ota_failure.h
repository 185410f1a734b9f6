/** Why the device refused, failed or gave up, as emqx/protocol.ts names it. */
#ifndef OTA_FAILURE_H
#define OTA_FAILURE_H

#include "ota_text.h"

/** The order is stored; add at the end. */
enum ota_failure_code {
  OTA_FAILURE_NONE = 0,
  OTA_FAILURE_BUSY,
  OTA_FAILURE_BAD_REQUEST,
  OTA_FAILURE_URL_REFUSED,
  OTA_FAILURE_MANIFEST_INVALID,
  OTA_FAILURE_SIGNATURE_INVALID,
  OTA_FAILURE_HARDWARE_MISMATCH,
  OTA_FAILURE_COMPONENT_UNKNOWN,
  OTA_FAILURE_DOWNGRADE_REFUSED,
  OTA_FAILURE_SIZE_MISMATCH,
  OTA_FAILURE_DIGEST_MISMATCH,
  OTA_FAILURE_DOWNLOAD_FAILED,
  OTA_FAILURE_STORAGE_FAILED,
  OTA_FAILURE_INSTALL_FAILED,
  OTA_FAILURE_BOOT_FAILED,
  OTA_FAILURE_SELF_TEST_FAILED,
  OTA_FAILURE_TOO_LATE,
  OTA_FAILURE_UNKNOWN_DEPLOYMENT,
  OTA_FAILURE_UNKNOWN_COMMAND,
  OTA_FAILURE_COMMAND_FAILED,
  OTA_FAILURE_CODES,
};

#define OTA_FAILURE_MESSAGE_MAX 79u

struct ota_failure {
  enum ota_failure_code code;
  /** May be empty. */
  char message[OTA_FAILURE_MESSAGE_MAX + 1];
};

struct ota_failure ota_failure_of(enum ota_failure_code code, const char *message);

/** `,"error":{…}`; nothing when there is none. */
void ota_failure_write(struct ota_text *text, const struct ota_failure *failure);

#endif
