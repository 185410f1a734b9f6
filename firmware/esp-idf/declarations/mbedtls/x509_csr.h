/* Mbed-TLS/mbedtls v3.6.5 (esp-idf v5.5.5 has a fork of 3.6), include/mbedtls/x509_csr.h; the members are private */
#pragma once
#include "mbedtls/pk.h"
typedef enum { MBEDTLS_MD_NONE = 0, MBEDTLS_MD_SHA256 = 0x09 } mbedtls_md_type_t;
typedef struct mbedtls_x509write_csr {
  mbedtls_pk_context *private_key;
} mbedtls_x509write_csr;
void mbedtls_x509write_csr_init(mbedtls_x509write_csr *ctx);
void mbedtls_x509write_csr_free(mbedtls_x509write_csr *ctx);
int mbedtls_x509write_csr_set_subject_name(mbedtls_x509write_csr *ctx, const char *subject_name);
void mbedtls_x509write_csr_set_key(mbedtls_x509write_csr *ctx, mbedtls_pk_context *key);
void mbedtls_x509write_csr_set_md_alg(mbedtls_x509write_csr *ctx, mbedtls_md_type_t md_alg);
int mbedtls_x509write_csr_pem(mbedtls_x509write_csr *ctx, unsigned char *buf, size_t size, mbedtls_f_rng_t *f_rng, void *p_rng);
