/* Mbed-TLS/mbedtls v3.6.5 (esp-idf v5.5.5 has a fork of 3.6), include/mbedtls/x509_crt.h and x509.h */
#pragma once
#include "mbedtls/oid.h"
#include "mbedtls/pk.h"
typedef mbedtls_asn1_named_data mbedtls_x509_name;
typedef struct mbedtls_x509_time {
  int year, mon, day;
  int hour, min, sec;
} mbedtls_x509_time;
/* Members left out: those that the sources do not read. */
typedef struct mbedtls_x509_crt {
  mbedtls_x509_name subject;
  mbedtls_x509_time valid_from;
  mbedtls_x509_time valid_to;
  mbedtls_pk_context pk;
} mbedtls_x509_crt;
void mbedtls_x509_crt_init(mbedtls_x509_crt *crt);
void mbedtls_x509_crt_free(mbedtls_x509_crt *crt);
int mbedtls_x509_crt_parse(mbedtls_x509_crt *chain, const unsigned char *buf, size_t buflen);
