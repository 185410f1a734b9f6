#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/entropy.h>
#include <mbedtls/entropy_poll.h>
#include <mbedtls/sha256.h>
#include <semihost.h>
#include <stdlib.h>

#include "board.h"

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;

/** The AN385 has no generator of its own: seeds come from that of whoever runs the emulator. */
int mbedtls_hardware_poll(void *context, unsigned char *data, size_t capacity, size_t *bytes) {
  (void)context;
  int file = sys_semihost_open("/dev/urandom", SH_OPEN_R_B);
  if (file < 0) return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
  uintptr_t missing = sys_semihost_read(file, data, capacity);
  (void)sys_semihost_close(file);
  *bytes = capacity - missing;
  return missing == 0 ? 0 : MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
}

void board_start_crypto(void) {
  mbedtls_entropy_init(&entropy);
  mbedtls_ctr_drbg_init(&drbg);
  if (mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0) != 0)
    board_panic("there are no random numbers");
}

int board_drbg(void *context, unsigned char *data, size_t bytes) {
  (void)context;
  while (bytes > MBEDTLS_CTR_DRBG_MAX_REQUEST) {
    int error = mbedtls_ctr_drbg_random(&drbg, data, MBEDTLS_CTR_DRBG_MAX_REQUEST);
    if (error != 0) return error;
    data += MBEDTLS_CTR_DRBG_MAX_REQUEST;
    bytes -= MBEDTLS_CTR_DRBG_MAX_REQUEST;
  }
  return mbedtls_ctr_drbg_random(&drbg, data, bytes);
}

uint32_t board_random(void) {
  uint32_t number = 0;
  if (board_drbg(NULL, (unsigned char *)&number, sizeof number) != 0) board_panic("there are no random numbers");
  return number;
}

static int make_random(void *ctx, uint8_t *data, size_t bytes) {
  (void)ctx;
  return board_drbg(NULL, data, bytes) == 0 ? OTA_OK : OTA_ERR_STORAGE;
}

void *host_hash_new(void) {
  mbedtls_sha256_context *hash = calloc(1, sizeof *hash);
  if (hash && mbedtls_sha256_starts_ret(hash, 0) == 0) return hash;
  free(hash);
  return NULL;
}

int host_hash_update(void *hash, const uint8_t *data, size_t bytes) {
  return mbedtls_sha256_update_ret(hash, data, bytes) == 0 ? OTA_OK : OTA_ERR_STORAGE;
}

int host_hash_end(void *hash, uint8_t digest[OTA_SHA256_BYTES]) {
  int error = mbedtls_sha256_finish_ret(hash, digest) == 0 ? OTA_OK : OTA_ERR_STORAGE;
  mbedtls_sha256_free(hash);
  free(hash);
  return error;
}

static int es256_verify(void *ctx, const uint8_t *xy, const uint8_t *message, size_t bytes, const uint8_t *signature) {
  (void)ctx;
  uint8_t point[1 + OTA_ES256_BYTES] = {4};
  uint8_t digest[OTA_SHA256_BYTES];
  mbedtls_ecp_group group;
  mbedtls_ecp_point key;
  mbedtls_mpi r;
  mbedtls_mpi s;
  for (unsigned i = 0; i < OTA_ES256_BYTES; i++) point[1 + i] = xy[i];
  mbedtls_ecp_group_init(&group);
  mbedtls_ecp_point_init(&key);
  mbedtls_mpi_init(&r);
  mbedtls_mpi_init(&s);
  bool good = mbedtls_sha256_ret(message, bytes, digest, 0) == 0 &&
              mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1) == 0 &&
              mbedtls_ecp_point_read_binary(&group, &key, point, sizeof point) == 0 &&
              mbedtls_ecp_check_pubkey(&group, &key) == 0 && mbedtls_mpi_read_binary(&r, signature, 32) == 0 &&
              mbedtls_mpi_read_binary(&s, signature + 32, 32) == 0 &&
              mbedtls_ecdsa_verify(&group, digest, sizeof digest, &key, &r, &s) == 0;
  mbedtls_mpi_free(&s);
  mbedtls_mpi_free(&r);
  mbedtls_ecp_point_free(&key);
  mbedtls_ecp_group_free(&group);
  return good ? OTA_OK : OTA_ERR_SIGNATURE;
}

void host_fill_crypto(struct ota_port *port) {
  port->es256_verify = es256_verify;
  port->random = make_random;
}
