/** AES-256-GCM for real, bit by bit: a port has hardware for it. */
#ifndef FAKE_AES_H
#define FAKE_AES_H

#include "../ota_types.h"

/** In place; writes the tag. */
void fake_gcm_seal(const uint8_t *key, const uint8_t *nonce, const uint8_t *extra, size_t extra_bytes, uint8_t *data, size_t bytes,
                   uint8_t *tag);
/** As the port's gcm_open. */
int fake_gcm_open(void *ctx, const uint8_t *key, const uint8_t *nonce, const uint8_t *extra, size_t extra_bytes, uint8_t *data,
                  size_t bytes, const uint8_t *tag);

#endif
