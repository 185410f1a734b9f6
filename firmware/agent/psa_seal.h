/**
 * @file
 * Beside the agent, for ports that have PSA Crypto (Mbed TLS 4, TF-PSA-Crypto, TF-M, a secure element behind them): what sealed objects ask of a
 * port, with the key of the certificate as a key of PSA. It is of P-256, may be used for PSA_KEY_USAGE_DERIVE, and its policy allows
 * PSA_ALG_ECDH; psa_crypto_init has been called.
 */
#ifndef PSA_SEAL_H
#define PSA_SEAL_H

#include <psa/crypto.h>
#include <string.h>

#include "ota_port.h"

/** SEC 1, 2.3.3: an uncompressed point begins with 04. */
#define OTA_PSA_POINT_BYTES (1 + OTA_ES256_BYTES)
#define OTA_PSA_UNCOMPRESSED 0x04u /**< That. */

/** As seal_key of the port. */
static inline int ota_psa_seal_key(mbedtls_svc_key_id_t key, uint8_t xy[OTA_ES256_BYTES]) {
  uint8_t point[OTA_PSA_POINT_BYTES];
  size_t bytes = 0;
  const psa_status_t status = psa_export_public_key(key, point, sizeof point, &bytes);
  if (status != PSA_SUCCESS || bytes != sizeof point || point[0] != OTA_PSA_UNCOMPRESSED) return OTA_ERR_ABSENT;
  memcpy(xy, point + 1, OTA_ES256_BYTES);
  return OTA_OK;
}

/** As seal_agree of the port. PSA looks whether the point is one of the curve. */
static inline int ota_psa_seal_agree(mbedtls_svc_key_id_t key, const uint8_t xy[OTA_ES256_BYTES], uint8_t secret[32]) {
  uint8_t point[OTA_PSA_POINT_BYTES] = {OTA_PSA_UNCOMPRESSED};
  size_t bytes = 0;
  memcpy(point + 1, xy, OTA_ES256_BYTES);
  const psa_status_t status = psa_raw_key_agreement(PSA_ALG_ECDH, key, point, sizeof point, secret, 32, &bytes);
  return status == PSA_SUCCESS && bytes == 32 ? OTA_OK : OTA_ERR_SIGNATURE;
}

/** As gcm_open of the port: the tag stands right behind the data. */
static inline int ota_psa_gcm_open(const uint8_t key[OTA_AES_KEY_BYTES], const uint8_t nonce[OTA_GCM_NONCE_BYTES], const uint8_t *extra,
                                   size_t extra_bytes, uint8_t *data, size_t bytes) {
  size_t opened = 0;
  psa_key_attributes_t attributes = psa_key_attributes_init();
  psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_DECRYPT);
  psa_set_key_algorithm(&attributes, PSA_ALG_GCM);
  mbedtls_svc_key_id_t imported;
  if (psa_import_key(&attributes, key, OTA_AES_KEY_BYTES, &imported) != PSA_SUCCESS) return OTA_ERR_SIGNATURE;
  const psa_status_t status = psa_aead_decrypt(imported, PSA_ALG_GCM, nonce, OTA_GCM_NONCE_BYTES, extra, extra_bytes, data,
                                               bytes + OTA_GCM_TAG_BYTES, data, bytes, &opened);
  (void)psa_destroy_key(imported);
  return status == PSA_SUCCESS && opened == bytes ? OTA_OK : OTA_ERR_SIGNATURE;
}

#endif
