/*
 * SHA-256 by the chip's accelerator and ES256, as the port's callbacks, and new keys. Mbed TLS 3.6 (ESP-IDF 5.5) has them as functions
 * of its own (crypto_mbedtls3.c), Mbed TLS 4 (ESP-IDF 6) only through PSA (crypto_psa.c).
 */
#ifndef CRYPTO_H
#define CRYPTO_H

#include "mbedtls/build_info.h"
#include "ota_port.h"
#if MBEDTLS_VERSION_MAJOR >= 4
#include "psa/crypto.h"
#else
#include "mbedtls/sha256.h"
#endif

struct crypto {
#if MBEDTLS_VERSION_MAJOR >= 4
  psa_hash_operation_t sha256;
#else
  mbedtls_sha256_context sha256;
#endif
};

/* Once, before the rest. 0 or OTA_ERR_STORAGE. */
int flota_crypto_start(void);

int flota_crypto_sha256_start(struct crypto *crypto);
int flota_crypto_sha256_update(struct crypto *crypto, const uint8_t *data, size_t bytes);
int flota_crypto_sha256_finish(struct crypto *crypto, uint8_t digest[OTA_SHA256_BYTES]);
int flota_crypto_es256_verify(const uint8_t xy[OTA_ES256_BYTES], const uint8_t *message, size_t bytes,
                        const uint8_t signature[OTA_ES256_BYTES]);
/* A new P-256 key as PEM. 0 or OTA_ERR_CERTIFICATE. */
int flota_crypto_make_key(char *pem, size_t capacity);

#endif
