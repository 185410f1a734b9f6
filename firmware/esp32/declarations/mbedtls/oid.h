/* Mbed-TLS/mbedtls v3.6.5 (esp-idf v5.5.5 has a fork of 3.6), include/mbedtls/oid.h and asn1.h */
#pragma once
#include <stddef.h>
#include <string.h>
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
#define MBEDTLS_OID_AT_CN "\x55\x04\x03"
/* A macro there. */
int MBEDTLS_OID_CMP(const char *oid_str, const mbedtls_asn1_buf *oid_buf);
