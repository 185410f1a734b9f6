/** Any bytes as a message: read as every kind of message, and as a manifest. */
#include <string.h>

#include "../ota_inbox.h"
#include "../ota_manifest.h"
#include "../ota_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static char text[8193];
  static struct ota_json json;
  struct ota_request request;
  struct ota_attempt attempt;
  struct ota_control control;
  struct ota_certificate certificate;
  struct ota_manifest manifest;
  struct ota_state state;
  const char *ids[64];
  size_t count = 0;
  if (size >= sizeof text) return 0;
  for (int kind = 0; kind < 6; kind++) {
    memcpy(text, data, size);
    text[size] = '\0';
    if (kind == 5) {
      (void)ota_manifest_read(&json, text, size, &manifest);
      continue;
    }
    if (ota_json_object(&json, text, size) != OTA_OK) break;
    if (kind == 0) (void)ota_read_request(&json, &request);
    else if (kind == 1) (void)ota_read_cancel(&json, &attempt);
    else if (kind == 2) (void)ota_read_control(&json, &control);
    else if (kind == 3) (void)ota_read_certificate(&json, &certificate);
    else (void)ota_read_ack(&json, ids, 64, &count);
  }
  // What flash holds is not trusted either.
  (void)ota_state_decode(&state, data, size);
  return 0;
}
