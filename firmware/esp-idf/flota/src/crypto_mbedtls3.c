#include "crypto.h"

#if MBEDTLS_VERSION_MAJOR < 4

#include <string.h>

#include "entropy.h"
#include "mbedtls/bignum.h"
#include "mbedtls/ecdsa.h"
#include "mbedtls/ecp.h"
#include "mbedtls/pk.h"

int flota_crypto_start(void) { return OTA_OK; }

int flota_crypto_sha256_start(struct crypto *crypto) {
  mbedtls_sha256_init(&crypto->sha256);
  return mbedtls_sha256_starts(&crypto->sha256, 0) == 0 ? OTA_OK : OTA_ERR_STORAGE;
}

int flota_crypto_sha256_update(struct crypto *crypto, const uint8_t *data, size_t bytes) {
  return mbedtls_sha256_update(&crypto->sha256, data, bytes) == 0 ? OTA_OK : OTA_ERR_STORAGE;
}

int flota_crypto_sha256_finish(struct crypto *crypto, uint8_t digest[OTA_SHA256_BYTES]) {
  const int error = mbedtls_sha256_finish(&crypto->sha256, digest);
  mbedtls_sha256_free(&crypto->sha256);
  return error == 0 ? OTA_OK : OTA_ERR_STORAGE;
}

int flota_crypto_es256_verify(const uint8_t xy[OTA_ES256_BYTES], const uint8_t *message, size_t bytes,
                        const uint8_t signature[OTA_ES256_BYTES]) {
  uint8_t digest[OTA_SHA256_BYTES];
  /* SEC 1, 2.3.3: an uncompressed point begins with 04. */
  uint8_t point[1 + OTA_ES256_BYTES] = {0x04};
  memcpy(point + 1, xy, OTA_ES256_BYTES);
  mbedtls_ecp_group group;
  mbedtls_ecp_point key;
  mbedtls_mpi r;
  mbedtls_mpi s;
  mbedtls_ecp_group_init(&group);
  mbedtls_ecp_point_init(&key);
  mbedtls_mpi_init(&r);
  mbedtls_mpi_init(&s);
  const size_t half = OTA_ES256_BYTES / 2;
  int error = mbedtls_sha256(message, bytes, digest, 0);
  if (error == 0) error = mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1);
  if (error == 0) error = mbedtls_ecp_point_read_binary(&group, &key, point, sizeof point);
  if (error == 0) error = mbedtls_ecp_check_pubkey(&group, &key);
  if (error == 0) error = mbedtls_mpi_read_binary(&r, signature, half);
  if (error == 0) error = mbedtls_mpi_read_binary(&s, signature + half, half);
  if (error == 0) error = mbedtls_ecdsa_verify(&group, digest, sizeof digest, &key, &r, &s);
  mbedtls_mpi_free(&s);
  mbedtls_mpi_free(&r);
  mbedtls_ecp_point_free(&key);
  mbedtls_ecp_group_free(&group);
  return error == 0 ? OTA_OK : OTA_ERR_SIGNATURE;
}

int flota_crypto_make_key(char *pem, size_t capacity) {
  mbedtls_pk_context key;
  mbedtls_pk_init(&key);
  int error = mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
  if (error == 0) error = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), entropy_fill, NULL);
  if (error == 0) error = mbedtls_pk_write_key_pem(&key, (unsigned char *)pem, capacity);
  mbedtls_pk_free(&key);
  return error == 0 ? OTA_OK : OTA_ERR_CERTIFICATE;
}

#endif
