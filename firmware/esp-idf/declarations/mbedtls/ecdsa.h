/* Mbed-TLS/mbedtls v3.6.5 (esp-idf v5.5.5 has a fork of 3.6), include/mbedtls/ecdsa.h */
#pragma once
#include "mbedtls/ecp.h"
int mbedtls_ecdsa_verify(mbedtls_ecp_group *grp, const unsigned char *buf, size_t blen, const mbedtls_ecp_point *Q, const mbedtls_mpi *r,
                         const mbedtls_mpi *s);
