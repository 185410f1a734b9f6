/** Compact JWS (RFC 7515), ES256 only. */
#ifndef OTA_JWS_H
#define OTA_JWS_H

#include "ota_json.h"
#include "ota_port.h"

/**
 * Decodes base64url without padding (RFC 4648 §5) in its canonical form; `target` may be `source`. Bytes, OTA_ERR_JWS, or
 * OTA_ERR_SPACE.
 */
int ota_base64url(const char *source, size_t characters, uint8_t *target, size_t capacity);

/**
 * Verifies `jws` (NUL-terminated, used up) with the key that its header names, and decodes its payload into `payload`.
 * Bytes; OTA_ERR_JWS, OTA_ERR_SIGNATURE (also: no such key, another algorithm), OTA_ERR_SPACE.
 */
int ota_jws_open(const struct ota_port *port, const struct ota_signing_key *keys, size_t key_count,
                 struct ota_json *json, char *jws, uint8_t *payload, size_t capacity);

#endif
