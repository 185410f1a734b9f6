/** For sealed objects: ECDH with the key of the certificate, and AES-GCM, both by Mbed TLS. */
#include <mbedtls/ecdh.h>
#include <mbedtls/gcm.h>
#include <string.h>

#include "board.h"

/** SEC 1, 2.3.3: an uncompressed point begins with 04. */
enum { point_bytes = 1 + OTA_ES256_BYTES, uncompressed = 4, secret_bytes = 32 };

static int seal_key(void *ctx, uint8_t *xy) {
  uint8_t point[point_bytes];
  size_t bytes = 0;
  mbedtls_pk_context key;
  bool good = board_own_key(ctx, &key) && mbedtls_pk_can_do(&key, MBEDTLS_PK_ECKEY) &&
              mbedtls_ecp_point_write_binary(&mbedtls_pk_ec(key)->grp, &mbedtls_pk_ec(key)->Q, MBEDTLS_ECP_PF_UNCOMPRESSED, &bytes, point,
                                             sizeof point) == 0 &&
              bytes == sizeof point;
  mbedtls_pk_free(&key);
  if (good) memcpy(xy, point + 1, OTA_ES256_BYTES);
  return good ? OTA_OK : OTA_ERR_ABSENT;
}

static bool agree(mbedtls_ecp_keypair *own, const uint8_t *xy, mbedtls_ecp_point *peer, mbedtls_mpi *secret) {
  uint8_t point[point_bytes] = {uncompressed};
  memcpy(point + 1, xy, OTA_ES256_BYTES);
  return mbedtls_ecp_point_read_binary(&own->grp, peer, point, sizeof point) == 0 &&
         // Refuses what is no point of the curve.
         mbedtls_ecp_check_pubkey(&own->grp, peer) == 0 &&
         mbedtls_ecdh_compute_shared(&own->grp, secret, peer, &own->d, board_drbg, NULL) == 0;
}

static int seal_agree(void *ctx, const uint8_t *xy, uint8_t *secret) {
  mbedtls_pk_context key;
  mbedtls_ecp_point peer;
  mbedtls_mpi agreed;
  mbedtls_ecp_point_init(&peer);
  mbedtls_mpi_init(&agreed);
  bool good = board_own_key(ctx, &key) && mbedtls_pk_can_do(&key, MBEDTLS_PK_ECKEY) &&
              agree(mbedtls_pk_ec(key), xy, &peer, &agreed) && mbedtls_mpi_write_binary(&agreed, secret, secret_bytes) == 0;
  mbedtls_mpi_free(&agreed);
  mbedtls_ecp_point_free(&peer);
  mbedtls_pk_free(&key);
  return good ? OTA_OK : OTA_ERR_SIGNATURE;
}

static int gcm_open(void *ctx, const uint8_t *key, const uint8_t *nonce, const uint8_t *extra, size_t extra_bytes, uint8_t *data,
                    size_t bytes, const uint8_t *tag) {
  (void)ctx;
  mbedtls_gcm_context gcm;
  mbedtls_gcm_init(&gcm);
  bool good = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 256) == 0 &&
              mbedtls_gcm_auth_decrypt(&gcm, bytes, nonce, OTA_GCM_NONCE_BYTES, extra, extra_bytes, tag, OTA_GCM_TAG_BYTES, data, data) == 0;
  mbedtls_gcm_free(&gcm);
  return good ? OTA_OK : OTA_ERR_SIGNATURE;
}

void host_fill_seal(struct ota_port *port) {
  port->seal_key = seal_key;
  port->seal_agree = seal_agree;
  port->gcm_open = gcm_open;
}
