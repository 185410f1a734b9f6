/* Mbed-TLS/mbedtls v3.6.5 (esp-idf v5.5.5 has a fork of 3.6, and the chip's own behind these names), include/mbedtls/gcm.h, cipher.h; the members are private */
#pragma once
#include <stddef.h>
typedef enum { MBEDTLS_CIPHER_ID_NONE = 0, MBEDTLS_CIPHER_ID_NULL, MBEDTLS_CIPHER_ID_AES } mbedtls_cipher_id_t;
typedef struct mbedtls_gcm_context {
  void *private_cipher_ctx;
} mbedtls_gcm_context;
void mbedtls_gcm_init(mbedtls_gcm_context *ctx);
void mbedtls_gcm_free(mbedtls_gcm_context *ctx);
int mbedtls_gcm_setkey(mbedtls_gcm_context *ctx, mbedtls_cipher_id_t cipher, const unsigned char *key, unsigned int keybits);
int mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length, const unsigned char *iv, size_t iv_len, const unsigned char *add,
                             size_t add_len, const unsigned char *tag, size_t tag_len, const unsigned char *input, unsigned char *output);
