/* SHA-256 by the chip's accelerator (CONFIG_MBEDTLS_HARDWARE_SHA) and ES256, as the port's callbacks. */
#ifndef CRYPTO_H
#define CRYPTO_H

#include "mbedtls/sha256.h"
#include "ota_port.h"

struct crypto {
  mbedtls_sha256_context sha256;
};

int crypto_sha256_start(struct crypto *crypto);
int crypto_sha256_update(struct crypto *crypto, const uint8_t *data, size_t bytes);
int crypto_sha256_finish(struct crypto *crypto, uint8_t digest[OTA_SHA256_BYTES]);
int crypto_es256_verify(const uint8_t xy[OTA_ES256_BYTES], const uint8_t *message, size_t bytes,
                        const uint8_t signature[OTA_ES256_BYTES]);

#endif
