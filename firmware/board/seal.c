/** For sealed objects: ECDH with the key of the certificate, and AES-GCM, by the PSA of Mbed TLS. */
#include "../agent/psa_seal.h"

#include "board.h"

enum { private_bytes = 32 };

/** The key of the certificate as one that can agree; for psa_destroy_key. */
static bool import_key(const struct host *host, mbedtls_svc_key_id_t *imported) {
  uint8_t number[private_bytes];
  mbedtls_pk_context key;
  psa_key_attributes_t attributes = psa_key_attributes_init();
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_DERIVE);
  psa_set_key_algorithm(&attributes, PSA_ALG_ECDH);
  bool good = board_own_key(host, &key) && mbedtls_pk_can_do(&key, MBEDTLS_PK_ECKEY) &&
              mbedtls_pk_ec(key)->grp.id == MBEDTLS_ECP_DP_SECP256R1 &&
              mbedtls_mpi_write_binary(&mbedtls_pk_ec(key)->d, number, sizeof number) == 0 &&
              psa_import_key(&attributes, number, sizeof number, imported) == PSA_SUCCESS;
  mbedtls_pk_free(&key);
  return good;
}

static int seal_key(void *ctx, uint8_t *xy) {
  mbedtls_svc_key_id_t key;
  if (!import_key(ctx, &key)) return OTA_ERR_ABSENT;
  int error = ota_psa_seal_key(key, xy);
  (void)psa_destroy_key(key);
  return error;
}

static int seal_agree(void *ctx, const uint8_t *xy, uint8_t *secret) {
  mbedtls_svc_key_id_t key;
  if (!import_key(ctx, &key)) return OTA_ERR_SIGNATURE;
  int error = ota_psa_seal_agree(key, xy, secret);
  (void)psa_destroy_key(key);
  return error;
}

static int gcm_open(void *ctx, const uint8_t *key, const uint8_t *nonce, const uint8_t *extra, size_t extra_bytes, uint8_t *data,
                    size_t bytes, const uint8_t *tag) {
  (void)ctx;
  (void)tag;
  return ota_psa_gcm_open(key, nonce, extra, extra_bytes, data, bytes);
}

void host_fill_seal(struct ota_port *port) {
  if (psa_crypto_init() != PSA_SUCCESS) board_panic("there is no PSA");
  port->seal_key = seal_key;
  port->seal_agree = seal_agree;
  port->gcm_open = gcm_open;
}
