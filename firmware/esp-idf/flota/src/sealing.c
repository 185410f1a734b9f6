#include "sealing.h"

#ifdef FLOTA_SEAL

#include <string.h>

#include "crypto.h"
#include "entropy.h"
#include "mbedtls/pk.h"

static int parse_key(mbedtls_pk_context *key, const char *pem) {
  return mbedtls_pk_parse_key(key, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0 ENTROPY_ARGUMENTS);
}

#if MBEDTLS_VERSION_MAJOR >= 4

#include "psa_seal.h"

/* The key as one that can agree; for psa_destroy_key. */
static bool import_key(const char *pem, mbedtls_svc_key_id_t *imported) {
  psa_key_attributes_t attributes = psa_key_attributes_init();
  mbedtls_pk_context key;
  mbedtls_pk_init(&key);
  int error = parse_key(&key, pem);
  if (error == 0) error = mbedtls_pk_get_psa_attributes(&key, PSA_KEY_USAGE_DERIVE, &attributes);
  psa_set_key_algorithm(&attributes, PSA_ALG_ECDH);
  if (error == 0) error = mbedtls_pk_import_into_psa(&key, &attributes, imported);
  mbedtls_pk_free(&key);
  return error == 0;
}

int flota_sealing_key(const char *pem, uint8_t xy[OTA_ES256_BYTES]) {
  mbedtls_svc_key_id_t key;
  if (!import_key(pem, &key)) return OTA_ERR_ABSENT;
  const int error = ota_psa_seal_key(key, xy);
  (void)psa_destroy_key(key);
  return error;
}

int flota_sealing_agree(const char *pem, const uint8_t xy[OTA_ES256_BYTES], uint8_t secret[32]) {
  mbedtls_svc_key_id_t key;
  if (!import_key(pem, &key)) return OTA_ERR_SIGNATURE;
  const int error = ota_psa_seal_agree(key, xy, secret);
  (void)psa_destroy_key(key);
  return error;
}

int flota_sealing_open(const uint8_t key[OTA_AES_KEY_BYTES], const uint8_t nonce[OTA_GCM_NONCE_BYTES], const uint8_t *extra,
                       size_t extra_bytes, uint8_t *data, size_t bytes) {
  return ota_psa_gcm_open(key, nonce, extra, extra_bytes, data, bytes);
}

#else

#include "mbedtls/ecdh.h"
#include "mbedtls/gcm.h"

/* SEC 1, 2.3.3: an uncompressed point begins with 04. */
enum { POINT_BYTES = 1 + OTA_ES256_BYTES, UNCOMPRESSED = 0x04 };

/* The parts of a key of P-256. */
struct parts {
  mbedtls_ecp_group group;
  mbedtls_mpi d;
  mbedtls_ecp_point q;
};

static void parts_free(struct parts *parts) {
  mbedtls_ecp_point_free(&parts->q);
  mbedtls_mpi_free(&parts->d);
  mbedtls_ecp_group_free(&parts->group);
}

static bool parts_read(struct parts *parts, const char *pem) {
  mbedtls_pk_context key;
  mbedtls_pk_init(&key);
  mbedtls_ecp_group_init(&parts->group);
  mbedtls_mpi_init(&parts->d);
  mbedtls_ecp_point_init(&parts->q);
  const bool good = parse_key(&key, pem) == 0 && mbedtls_pk_get_type(&key) == MBEDTLS_PK_ECKEY &&
                    mbedtls_ecp_export(mbedtls_pk_ec(key), &parts->group, &parts->d, &parts->q) == 0 &&
                    parts->group.id == MBEDTLS_ECP_DP_SECP256R1;
  mbedtls_pk_free(&key);
  return good;
}

int flota_sealing_key(const char *pem, uint8_t xy[OTA_ES256_BYTES]) {
  uint8_t point[POINT_BYTES];
  size_t bytes = 0;
  struct parts parts;
  const bool good = parts_read(&parts, pem) && mbedtls_ecp_point_write_binary(&parts.group, &parts.q, MBEDTLS_ECP_PF_UNCOMPRESSED,
                                                                             &bytes, point, sizeof point) == 0;
  parts_free(&parts);
  if (!good || bytes != sizeof point) return OTA_ERR_ABSENT;
  memcpy(xy, point + 1, OTA_ES256_BYTES);
  return OTA_OK;
}

int flota_sealing_agree(const char *pem, const uint8_t xy[OTA_ES256_BYTES], uint8_t secret[32]) {
  uint8_t point[POINT_BYTES] = {UNCOMPRESSED};
  struct parts parts;
  mbedtls_ecp_point peer;
  mbedtls_mpi shared;
  memcpy(point + 1, xy, OTA_ES256_BYTES);
  mbedtls_ecp_point_init(&peer);
  mbedtls_mpi_init(&shared);
  const bool good = parts_read(&parts, pem) && mbedtls_ecp_point_read_binary(&parts.group, &peer, point, sizeof point) == 0 &&
                    mbedtls_ecp_check_pubkey(&parts.group, &peer) == 0 &&
                    mbedtls_ecdh_compute_shared(&parts.group, &shared, &peer, &parts.d, entropy_fill, NULL) == 0 &&
                    mbedtls_mpi_write_binary(&shared, secret, 32) == 0;
  mbedtls_mpi_free(&shared);
  mbedtls_ecp_point_free(&peer);
  parts_free(&parts);
  return good ? OTA_OK : OTA_ERR_SIGNATURE;
}

int flota_sealing_open(const uint8_t key[OTA_AES_KEY_BYTES], const uint8_t nonce[OTA_GCM_NONCE_BYTES], const uint8_t *extra,
                       size_t extra_bytes, uint8_t *data, size_t bytes) {
  mbedtls_gcm_context gcm;
  mbedtls_gcm_init(&gcm);
  int error = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 8 * OTA_AES_KEY_BYTES);
  if (error == 0)
    error = mbedtls_gcm_auth_decrypt(&gcm, bytes, nonce, OTA_GCM_NONCE_BYTES, extra, extra_bytes, data + bytes, OTA_GCM_TAG_BYTES, data,
                                     data);
  mbedtls_gcm_free(&gcm);
  return error == 0 ? OTA_OK : OTA_ERR_SIGNATURE;
}

#endif

#endif
