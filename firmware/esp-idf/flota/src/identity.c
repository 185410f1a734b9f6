#include "identity.h"

#include <stdio.h>
#include <string.h>

#include "crypto.h"
#include "entropy.h"
#include "mbedtls/pk.h"
#include "mbedtls/x509_crt.h"
#include "mbedtls/x509_csr.h"
#include "store.h"

static const char blob[] = "identity";
static const char csr_blob[] = "csr";

static int save(const struct identity *identity) { return flota_store_put(blob, identity->pairs, sizeof identity->pairs); }

int flota_identity_load(struct identity *identity) {
  const int bytes = flota_store_get(blob, identity->pairs, sizeof identity->pairs);
  if (bytes == (int)sizeof identity->pairs) return OTA_OK;
  memset(identity->pairs, 0, sizeof identity->pairs);
  return bytes == OTA_ERR_ABSENT ? OTA_OK : OTA_ERR_STORAGE;
}

bool flota_identity_enrolled(const struct identity *identity) { return identity->pairs[OTA_PAIR_CURRENT].certificates[0] != '\0'; }

/* Parsing PEM wants the terminating NUL counted. */
static int parse_key(mbedtls_pk_context *key, const char *pem) {
  return mbedtls_pk_parse_key(key, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0 ENTROPY_ARGUMENTS);
}

static int write_csr(const char *key_pem, const char *id, char *csr, size_t capacity) {
  char subject[80];
  (void)snprintf(subject, sizeof subject, "CN=%s", id);
  mbedtls_pk_context key;
  mbedtls_x509write_csr request;
  mbedtls_pk_init(&key);
  mbedtls_x509write_csr_init(&request);
  int error = parse_key(&key, key_pem);
  if (error == 0) error = mbedtls_x509write_csr_set_subject_name(&request, subject);
  if (error == 0) {
    mbedtls_x509write_csr_set_key(&request, &key);
    mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
    error = mbedtls_x509write_csr_pem(&request, (unsigned char *)csr, capacity ENTROPY_ARGUMENTS);
  }
  mbedtls_x509write_csr_free(&request);
  mbedtls_pk_free(&key);
  return error == 0 ? OTA_OK : OTA_ERR_CERTIFICATE;
}

int flota_identity_request(struct identity *identity, enum ota_key_pair pair, char *csr, size_t capacity) {
  struct identity_pair *wanted = &identity->pairs[pair];
  if (wanted->key[0] == '\0') {
    int error = flota_crypto_make_key(wanted->key, sizeof wanted->key);
    if (!error) error = save(identity);
    if (error) {
      memset(wanted, 0, sizeof *wanted);
      return error;
    }
  }
  return write_csr(wanted->key, identity->id, csr, capacity);
}

int flota_identity_first_request(struct identity *identity, char *csr, size_t capacity) {
  const bool has_key = identity->pairs[OTA_PAIR_CURRENT].key[0] != '\0';
  const int stored = has_key ? flota_store_get(csr_blob, csr, capacity) : OTA_ERR_ABSENT;
  if (stored > 0 && csr[stored - 1] == '\0') return OTA_OK;
  const int error = flota_identity_request(identity, OTA_PAIR_CURRENT, csr, capacity);
  return error ? error : flota_store_put(csr_blob, csr, strlen(csr) + 1);
}

/* id-at-commonName, 2.5.4.3. */
static const unsigned char common_name[] = {0x55, 0x04, 0x03};

/* RFC 5280, 4.1.2.6: the device's name is the common name, and there is one. */
static bool is_named(const mbedtls_x509_crt *certificate, const char *id) {
  const size_t size = strlen(id);
  unsigned names = 0;
  bool same = false;
  for (const mbedtls_x509_name *name = &certificate->subject; name; name = name->next) {
    if (name->oid.len != sizeof common_name || memcmp(name->oid.p, common_name, sizeof common_name) != 0) continue;
    names++;
    same = name->val.len == size && memcmp(name->val.p, id, size) == 0;
  }
  return names == 1 && same;
}

/* The first of the certificates, all of which must be readable: of a chain that is damaged the validity could not be read later. */
static bool belongs(const char *certificates_pem, const char *key_pem, const char *id) {
  mbedtls_x509_crt certificate;
  mbedtls_pk_context key;
  mbedtls_x509_crt_init(&certificate);
  mbedtls_pk_init(&key);
  const bool good = mbedtls_x509_crt_parse(&certificate, (const unsigned char *)certificates_pem, strlen(certificates_pem) + 1) == 0 &&
                    parse_key(&key, key_pem) == 0 && is_named(&certificate, id) &&
                    mbedtls_pk_check_pair(&certificate.pk, &key ENTROPY_ARGUMENTS) == 0;
  mbedtls_pk_free(&key);
  mbedtls_x509_crt_free(&certificate);
  return good;
}

int flota_identity_store(struct identity *identity, enum ota_key_pair pair, const char *certificate, const char *chain) {
  struct identity_pair *wanted = &identity->pairs[pair];
  if (wanted->key[0] == '\0') return OTA_ERR_CERTIFICATE;
  const int n = snprintf(wanted->certificates, sizeof wanted->certificates, "%s\n%s", certificate, chain);
  const bool whole = n > 0 && (size_t)n < sizeof wanted->certificates;
  int error = whole && belongs(wanted->certificates, wanted->key, identity->id) ? OTA_OK : OTA_ERR_CERTIFICATE;
  if (!error) error = save(identity);
  if (error) wanted->certificates[0] = '\0';
  return error;
}

enum ota_renewal_state flota_identity_renewal(const struct identity *identity) {
  const struct identity_pair *pending = &identity->pairs[OTA_PAIR_NEW];
  if (pending->key[0] == '\0') return OTA_RENEWAL_NONE;
  return pending->certificates[0] == '\0' ? OTA_RENEWAL_KEY : OTA_RENEWAL_ISSUED;
}

int flota_identity_promote(struct identity *identity) {
  if (flota_identity_renewal(identity) != OTA_RENEWAL_ISSUED) return OTA_ERR_ABSENT;
  identity->pairs[OTA_PAIR_CURRENT] = identity->pairs[OTA_PAIR_NEW];
  memset(&identity->pairs[OTA_PAIR_NEW], 0, sizeof identity->pairs[OTA_PAIR_NEW]);
  return save(identity);
}

int flota_identity_drop(struct identity *identity) {
  memset(&identity->pairs[OTA_PAIR_NEW], 0, sizeof identity->pairs[OTA_PAIR_NEW]);
  return save(identity);
}

/* Proleptic Gregorian days since 1970; March is the first month, so that leap days come last. */
static int64_t to_ms(const mbedtls_x509_time *time) {
  const int64_t year = time->mon > 2 ? time->year : time->year - 1;
  const int64_t month = (time->mon + 9) % 12;
  const int64_t days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + time->day - 1 - 719468;
  return (((days * 24 + time->hour) * 60 + time->min) * 60 + time->sec) * 1000;
}

int flota_identity_validity(const struct identity *identity, struct ota_validity *validity) {
  const char *pem = identity->pairs[OTA_PAIR_CURRENT].certificates;
  if (pem[0] == '\0') return OTA_ERR_ABSENT;
  mbedtls_x509_crt certificate;
  mbedtls_x509_crt_init(&certificate);
  const int error = mbedtls_x509_crt_parse(&certificate, (const unsigned char *)pem, strlen(pem) + 1);
  if (error == 0) {
    validity->not_before_ms = to_ms(&certificate.valid_from);
    validity->not_after_ms = to_ms(&certificate.valid_to);
  }
  mbedtls_x509_crt_free(&certificate);
  return error == 0 ? OTA_OK : OTA_ERR_CERTIFICATE;
}
