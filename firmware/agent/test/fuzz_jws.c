/** Any bytes as a signed manifest; every signature is called good, so that the payload is reached. */
#include <string.h>

#include "../ota_jws.h"
#include "../ota_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int trust(void *ctx, const uint8_t *xy, const uint8_t *message, size_t bytes, const uint8_t *signature) {
  (void)ctx;
  (void)xy;
  (void)signature;
  volatile uint8_t last = bytes > 0 ? message[bytes - 1] : 0;
  (void)last;
  return OTA_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct ota_signing_key key = {.kid = "k"};
  static char jws[2049];
  static uint8_t payload[1024];
  static struct ota_json json;
  struct ota_port port = {.es256_verify = trust};
  struct ota_manifest manifest;
  if (size >= sizeof jws) return 0;
  memcpy(jws, data, size);
  jws[size] = '\0';
  int bytes = ota_jws_open(&port, &key, 1, &json, jws, payload, sizeof payload);
  if (bytes >= 0) (void)ota_manifest_read(&json, (char *)payload, (size_t)bytes, &manifest);
  return 0;
}
