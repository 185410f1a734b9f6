#include "ota_failure.h"

static const char *const names[OTA_FAILURE_CODES] = {
#define X(code, name) name,
    OTA_FAILURES(X)
#undef X
};

void ota_failure_set(struct ota_failure *failure, enum ota_failure_code code, const char *message) {
  failure->code = code;
  ota_text_copy(failure->message, sizeof failure->message, message);
}

void ota_failure_write(struct ota_text *text, const struct ota_failure *failure) {
  if (failure->code == OTA_FAILURE_NONE || failure->code >= OTA_FAILURE_CODES) return;
  ota_text_raw(text, ",\"error\":{\"code\":");
  ota_text_string(text, names[failure->code]);
  if (failure->message[0] != '\0') {
    ota_text_member_string(text, "message", failure->message);
  }
  ota_text_raw(text, "}");
}
