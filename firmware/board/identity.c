/** Keys and certificates, in the same files as flota-device has them. */
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "board.h"

const char *const host_identity_file = "identity.pem";
const char *const host_renewal_file = "renewal.pem";
const char *const host_enrolment_file = "enrolment.pem";

enum { pem_max = 16384, subject_max = 80 };

/** A key and, where there is one, its certificate. */
struct pair {
  mbedtls_pk_context key;
  mbedtls_x509_crt certificate;
  bool has_key, has_certificate;
};

static void pair_begin(struct pair *pair) {
  *pair = (struct pair){0};
  mbedtls_pk_init(&pair->key);
  mbedtls_x509_crt_init(&pair->certificate);
}

static void pair_end(struct pair *pair) {
  mbedtls_pk_free(&pair->key);
  mbedtls_x509_crt_free(&pair->certificate);
}

static void pair_read(struct pair *pair, const struct host *host, const char *name) {
  char path[host_path_max];
  host_path(host, name, path);
  pair_begin(pair);
  char *text = board_read_text(path);
  if (!text) return;
  size_t bytes = strlen(text) + 1;
  const unsigned char *pem = (const unsigned char *)text;
  pair->has_key = mbedtls_pk_parse_key(&pair->key, pem, bytes, NULL, 0) == 0;
  pair->has_certificate = mbedtls_x509_crt_parse(&pair->certificate, pem, bytes) == 0;
  free(text);
}

bool board_own_key(const struct host *host, mbedtls_pk_context *key) {
  struct pair pair;
  pair_read(&pair, host, host_identity_file);
  *key = pair.key;
  mbedtls_x509_crt_free(&pair.certificate);
  return pair.has_key;
}

static int make_key(mbedtls_pk_context *key) {
  int error = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
  if (error == 0) error = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), board_drbg, NULL);
  return error == 0 ? OTA_OK : OTA_ERR_CERTIFICATE;
}

static int write_csr(const char *id, mbedtls_pk_context *key, char *csr, size_t capacity) {
  char subject[subject_max];
  mbedtls_x509write_csr request;
  (void)snprintf(subject, sizeof subject, "CN=%s", id);
  mbedtls_x509write_csr_init(&request);
  mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
  mbedtls_x509write_csr_set_key(&request, key);
  int error = mbedtls_x509write_csr_set_subject_name(&request, subject);
  if (error == 0) error = mbedtls_x509write_csr_pem(&request, (unsigned char *)csr, capacity, board_drbg, NULL);
  mbedtls_x509write_csr_free(&request);
  return error == 0 ? OTA_OK : OTA_ERR_SPACE;
}

/** The texts one after the other, and the key. */
static int store_with_key(struct host *host, const char *name, const char *text, const char *more, mbedtls_pk_context *key) {
  char *pem = malloc(pem_max);
  int error = OTA_ERR_SPACE;
  int bytes = pem ? snprintf(pem, pem_max, "%s\n%s\n", text, more) : -1;
  if (bytes >= 0 && bytes < pem_max &&
      mbedtls_pk_write_key_pem(key, (unsigned char *)pem + bytes, (size_t)(pem_max - bytes)) == 0)
    error = host_replace_file(host, name, pem, strlen(pem));
  free(pem);
  return error;
}

static bool belongs(const struct host *host, struct pair *pair) {
  if (!pair->has_key || !pair->has_certificate) return false;
  const mbedtls_asn1_named_data *name = mbedtls_asn1_find_named_data(&pair->certificate.subject, MBEDTLS_OID_AT_CN,
                                                                     MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_CN));
  const char *id = host->options.id;
  return name && name->val.len == strlen(id) && memcmp(name->val.p, id, name->val.len) == 0 &&
         mbedtls_pk_check_pair(&pair->certificate.pk, &pair->key) == 0;
}

/** Certificate, chain and the key of `from` as one file, if they belong together and to this device. */
static int store_pair(struct host *host, const char *from, const char *to, const char *certificate, const char *chain) {
  struct pair pair;
  pair_read(&pair, host, from);
  mbedtls_x509_crt_free(&pair.certificate);
  mbedtls_x509_crt_init(&pair.certificate);
  pair.has_certificate =
      mbedtls_x509_crt_parse(&pair.certificate, (const unsigned char *)certificate, strlen(certificate) + 1) == 0 &&
      mbedtls_x509_crt_parse(&pair.certificate, (const unsigned char *)chain, strlen(chain) + 1) == 0;
  int error = belongs(host, &pair) ? store_with_key(host, to, certificate, chain, &pair.key) : OTA_ERR_CERTIFICATE;
  pair_end(&pair);
  return error;
}

/** The processor's time zone is UTC. */
static int64_t to_ms(const mbedtls_x509_time *time) {
  struct tm parts = {.tm_year = time->year - 1900,
                     .tm_mon = time->mon - 1,
                     .tm_mday = time->day,
                     .tm_hour = time->hour,
                     .tm_min = time->min,
                     .tm_sec = time->sec};
  return (int64_t)mktime(&parts) * 1000;
}

static int cert_validity(void *ctx, struct ota_validity *validity) {
  struct pair pair;
  pair_read(&pair, ctx, host_identity_file);
  int error = pair.has_certificate ? OTA_OK : OTA_ERR_STORAGE;
  if (error == OTA_OK) {
    validity->not_before_ms = to_ms(&pair.certificate.valid_from);
    validity->not_after_ms = to_ms(&pair.certificate.valid_to);
  }
  pair_end(&pair);
  return error;
}

static enum ota_renewal_state cert_state(void *ctx) {
  struct pair pair;
  if (host_file_bytes(ctx, host_renewal_file) == 0) return OTA_RENEWAL_NONE;
  pair_read(&pair, ctx, host_renewal_file);
  bool issued = pair.has_certificate;
  pair_end(&pair);
  return issued ? OTA_RENEWAL_ISSUED : OTA_RENEWAL_KEY;
}

static int cert_request(void *ctx, char *csr, size_t capacity) {
  struct host *host = ctx;
  struct pair pair;
  int error = OTA_OK;
  pair_read(&pair, host, host_renewal_file);
  if (!pair.has_key) {
    error = make_key(&pair.key);
    if (error == OTA_OK) error = store_with_key(host, host_renewal_file, "", "", &pair.key);
  }
  if (error == OTA_OK) error = write_csr(host->options.id, &pair.key, csr, capacity);
  pair_end(&pair);
  return error;
}

static int cert_store(void *ctx, const char *certificate, const char *chain) {
  return store_pair(ctx, host_renewal_file, host_renewal_file, certificate, chain);
}

static int cert_promote(void *ctx) { return host_rename_file(ctx, host_renewal_file, host_identity_file); }

static int cert_drop(void *ctx) { return host_remove_file(ctx, host_renewal_file); }

bool host_identity(struct host *host, bool *valid) {
  struct pair pair;
  pair_read(&pair, host, host_identity_file);
  bool usable = belongs(host, &pair);
  *valid = usable && !mbedtls_x509_time_is_past(&pair.certificate.valid_to);
  pair_end(&pair);
  return usable;
}

int host_enrolment_request(struct host *host, bool with_known_key) {
  struct pair pair;
  char csr[1024];
  if (with_known_key) pair_read(&pair, host, host_identity_file);
  else pair_begin(&pair);
  int error = with_known_key ? OTA_OK : make_key(&pair.key);
  if (error == OTA_OK) error = write_csr(host->options.id, &pair.key, csr, sizeof csr);
  if (error == OTA_OK) error = store_with_key(host, host_enrolment_file, csr, "", &pair.key);
  pair_end(&pair);
  return error;
}

int host_enrolment_store(struct host *host, const char *certificate, const char *chain) {
  int error = store_pair(host, host_enrolment_file, host_identity_file, certificate, chain);
  return error == OTA_OK ? host_remove_file(host, host_enrolment_file) : error;
}

void host_fill_identity(struct ota_port *port) {
  port->cert_validity = cert_validity;
  port->cert_state = cert_state;
  port->cert_request = cert_request;
  port->cert_store = cert_store;
  port->cert_promote = cert_promote;
  port->cert_drop = cert_drop;
}
