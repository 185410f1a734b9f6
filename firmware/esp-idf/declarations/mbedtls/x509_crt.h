/* Mbed-TLS/mbedtls v3.6.5 (esp-idf v5.5.5 has a fork of 3.6), include/mbedtls/x509_crt.h, x509.h and asn1.h; the same in v4.0.0 but for where asn1.h is (TF-PSA-Crypto v1.0.0) */
#pragma once
#include "mbedtls/pk.h"
typedef struct mbedtls_asn1_buf {
  int tag;
  size_t len;
  unsigned char *p;
} mbedtls_asn1_buf;
typedef struct mbedtls_asn1_named_data {
  mbedtls_asn1_buf oid;
  mbedtls_asn1_buf val;
  struct mbedtls_asn1_named_data *next;
} mbedtls_asn1_named_data;
#define MBEDTLS_X509_BADCERT_EXPIRED 0x01
#define MBEDTLS_X509_BADCERT_FUTURE 0x0200
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
