/* Mbed-TLS/mbedtls v3.6.5 (esp-idf v5.5.5 has a fork of 3.6), include/mbedtls/ecp.h and platform_util.h; the members are private */
#pragma once
#include "mbedtls/bignum.h"
typedef int(mbedtls_f_rng_t)(void *p_rng, unsigned char *output, size_t output_size);
typedef enum { MBEDTLS_ECP_DP_NONE = 0, MBEDTLS_ECP_DP_SECP192R1, MBEDTLS_ECP_DP_SECP224R1, MBEDTLS_ECP_DP_SECP256R1 } mbedtls_ecp_group_id;
typedef struct mbedtls_ecp_point {
  mbedtls_mpi private_X, private_Y, private_Z;
} mbedtls_ecp_point;
typedef struct mbedtls_ecp_group {
  mbedtls_ecp_group_id id;
} mbedtls_ecp_group;
typedef struct mbedtls_ecp_keypair mbedtls_ecp_keypair;
void mbedtls_ecp_group_init(mbedtls_ecp_group *grp);
void mbedtls_ecp_group_free(mbedtls_ecp_group *grp);
int mbedtls_ecp_group_load(mbedtls_ecp_group *grp, mbedtls_ecp_group_id id);
void mbedtls_ecp_point_init(mbedtls_ecp_point *pt);
void mbedtls_ecp_point_free(mbedtls_ecp_point *pt);
int mbedtls_ecp_point_read_binary(const mbedtls_ecp_group *grp, mbedtls_ecp_point *P, const unsigned char *buf, size_t ilen);
int mbedtls_ecp_check_pubkey(const mbedtls_ecp_group *grp, const mbedtls_ecp_point *pt);
#define MBEDTLS_ECP_PF_UNCOMPRESSED 0
int mbedtls_ecp_point_write_binary(const mbedtls_ecp_group *grp, const mbedtls_ecp_point *P, int format, size_t *olen, unsigned char *buf,
                                   size_t buflen);
int mbedtls_ecp_export(const mbedtls_ecp_keypair *key, mbedtls_ecp_group *grp, mbedtls_mpi *d, mbedtls_ecp_point *Q);
int mbedtls_ecp_gen_key(mbedtls_ecp_group_id grp_id, mbedtls_ecp_keypair *key, mbedtls_f_rng_t *f_rng, void *p_rng);
