/**
 * @file
 * HPKE (RFC 9180), base mode, the receiving side of one message: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. The port does what
 * hardware does (ECDH, AES-GCM, SHA-256); the rest is here.
 */
#ifndef HPKE_H
#define HPKE_H

#include "ota_port.h"

/** An uncompressed point: what the sender sends along. */
#define HPKE_POINT_BYTES 65u

/**
 * The key and nonce of the message, from what both sides agree on, both public keys (`own` is x || y), and `info` of the application. Uses the
 * port's one SHA-256. 0, or what that returned.
 */
int ota_hpke_schedule(const struct ota_port *port, const uint8_t agreed[32], const uint8_t sent[HPKE_POINT_BYTES],
                  const uint8_t own[OTA_ES256_BYTES], const uint8_t *info, size_t info_bytes, uint8_t key[OTA_AES_KEY_BYTES],
                  uint8_t nonce[OTA_GCM_NONCE_BYTES]);

/** Opens `bytes` of `data` in place; the tag follows them. 0, or a negative ota_error: it is not for this device, or another `info`. */
int ota_hpke_open(const struct ota_port *port, const uint8_t sent[HPKE_POINT_BYTES], const uint8_t *info, size_t info_bytes, uint8_t *data,
              size_t bytes);

#endif
