/* What encrypted firmware asks of a port, by PSA. */
#include "module.h"

#ifdef CONFIG_FLOTA_ENCRYPTION

#include "psa_seal.h"

static int on_seal_key(void *ctx, uint8_t xy[OTA_ES256_BYTES]) {
  return ota_psa_seal_key(((const struct flota_zephyr *)ctx)->certificate_key, xy);
}
static int on_seal_agree(void *ctx, const uint8_t xy[OTA_ES256_BYTES], uint8_t secret[32]) {
  return ota_psa_seal_agree(((const struct flota_zephyr *)ctx)->certificate_key, xy, secret);
}
static int on_gcm_open(void *ctx, const uint8_t key[OTA_AES_KEY_BYTES], const uint8_t nonce[OTA_GCM_NONCE_BYTES], const uint8_t *extra,
                       size_t extra_bytes, uint8_t *data, size_t bytes, const uint8_t tag[OTA_GCM_TAG_BYTES]) {
  (void)ctx;
  (void)tag;
  return ota_psa_gcm_open(key, nonce, extra, extra_bytes, data, bytes);
}

void flota_zephyr_fill_sealing(struct ota_port *port) {
  port->seal_key = on_seal_key;
  port->seal_agree = on_seal_agree;
  port->gcm_open = on_gcm_open;
}

#endif
