/* What encrypted firmware asks of the chip (CONFIG_FLOTA_ENCRYPTION): ECDH with the key of the certificate, and AES by the accelerator. As the
 * port's callbacks; keys are PEM, and the tag stands behind the data. */
#ifndef SEALING_H
#define SEALING_H

#include "ota_port.h"

int flota_sealing_key(const char *pem, uint8_t xy[OTA_ES256_BYTES]);
int flota_sealing_agree(const char *pem, const uint8_t xy[OTA_ES256_BYTES], uint8_t secret[32]);
int flota_sealing_open(const uint8_t key[OTA_AES_KEY_BYTES], const uint8_t nonce[OTA_GCM_NONCE_BYTES], const uint8_t *extra,
                       size_t extra_bytes, uint8_t *data, size_t bytes);

#endif
