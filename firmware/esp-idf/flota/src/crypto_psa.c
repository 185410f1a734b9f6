#include "crypto.h"

#if MBEDTLS_VERSION_MAJOR >= 4

#include <string.h>

#include "mbedtls/pk.h"

int flota_crypto_start(void) { return psa_crypto_init() == PSA_SUCCESS ? OTA_OK : OTA_ERR_STORAGE; }

int flota_crypto_sha256_start(struct crypto *crypto) {
  crypto->sha256 = psa_hash_operation_init();
  return psa_hash_setup(&crypto->sha256, PSA_ALG_SHA_256) == PSA_SUCCESS ? OTA_OK : OTA_ERR_STORAGE;
}

int flota_crypto_sha256_update(struct crypto *crypto, const uint8_t *data, size_t bytes) {
  return psa_hash_update(&crypto->sha256, data, bytes) == PSA_SUCCESS ? OTA_OK : OTA_ERR_STORAGE;
}

int flota_crypto_sha256_finish(struct crypto *crypto, uint8_t digest[OTA_SHA256_BYTES]) {
  size_t bytes = 0;
  const psa_status_t status = psa_hash_finish(&crypto->sha256, digest, OTA_SHA256_BYTES, &bytes);
  /* Frees what an operation that failed still holds; nothing after one that went well. */
  (void)psa_hash_abort(&crypto->sha256);
  return status == PSA_SUCCESS && bytes == OTA_SHA256_BYTES ? OTA_OK : OTA_ERR_STORAGE;
}

int flota_crypto_es256_verify(const uint8_t xy[OTA_ES256_BYTES], const uint8_t *message, size_t bytes,
                        const uint8_t signature[OTA_ES256_BYTES]) {
  /* SEC 1, 2.3.3: an uncompressed point begins with 04. */
  uint8_t point[1 + OTA_ES256_BYTES] = {0x04};
  memcpy(point + 1, xy, OTA_ES256_BYTES);
  const psa_algorithm_t algorithm = PSA_ALG_ECDSA(PSA_ALG_SHA_256);
  psa_key_attributes_t attributes = psa_key_attributes_init();
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_MESSAGE);
  psa_set_key_algorithm(&attributes, algorithm);
  mbedtls_svc_key_id_t key;
  if (psa_import_key(&attributes, point, sizeof point, &key) != PSA_SUCCESS) return OTA_ERR_SIGNATURE;
  const psa_status_t status = psa_verify_message(key, algorithm, message, bytes, signature, OTA_ES256_BYTES);
  (void)psa_destroy_key(key);
  return status == PSA_SUCCESS ? OTA_OK : OTA_ERR_SIGNATURE;
}

int flota_crypto_make_key(char *pem, size_t capacity) {
  psa_key_attributes_t attributes = psa_key_attributes_init();
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, 256);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_EXPORT);
  mbedtls_svc_key_id_t made;
  if (psa_generate_key(&attributes, &made) != PSA_SUCCESS) return OTA_ERR_CERTIFICATE;
  mbedtls_pk_context key;
  mbedtls_pk_init(&key);
  int error = mbedtls_pk_copy_from_psa(made, &key);
  if (error == 0) error = mbedtls_pk_write_key_pem(&key, (unsigned char *)pem, capacity);
  mbedtls_pk_free(&key);
  (void)psa_destroy_key(made);
  return error == 0 ? OTA_OK : OTA_ERR_CERTIFICATE;
}

#endif
