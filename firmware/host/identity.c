/**
 * One PEM file holds certificate, chain and key, so that they can only change together. A renewal is a second file of the
 * same kind: first only with a key, then with the certificate too, and at last renamed over the first.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host.h"

const char *const host_identity_file = "identity.pem";
const char *const host_renewal_file = "renewal.pem";
const char *const host_enrolment_file = "enrolment.pem";

enum { pem_max = 32768 };

EVP_PKEY *host_read_key(struct host *host, const char *name) {
  char pem[pem_max];
  int bytes = host_read_file(host, name, pem, sizeof pem);
  if (bytes <= 0) return NULL;
  BIO *bio = BIO_new_mem_buf(pem, bytes);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
  BIO_free(bio);
  return key;
}

static X509 *read_certificate(struct host *host, const char *name) {
  char pem[pem_max];
  int bytes = host_read_file(host, name, pem, sizeof pem);
  if (bytes <= 0) return NULL;
  BIO *bio = BIO_new_mem_buf(pem, bytes);
  X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  BIO_free(bio);
  return certificate;
}

static void write_key(BIO *bio, EVP_PKEY *key) { PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL); }

static int replace_with(struct host *host, const char *name, BIO *bio) {
  char *pem = NULL;
  long bytes = BIO_get_mem_data(bio, &pem);
  return bytes > 0 ? host_replace_file(host, name, pem, (size_t)bytes) : OTA_ERR_STORAGE;
}

/** PKCS#10 with subject CN=<device id>. */
static void write_csr(BIO *bio, const char *id, EVP_PKEY *key) {
  X509_REQ *request = X509_REQ_new();
  X509_NAME *name = X509_NAME_new();
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)id, -1, -1, 0);
  X509_REQ_set_subject_name(request, name);
  X509_REQ_set_pubkey(request, key);
  if (X509_REQ_sign(request, key, EVP_sha256()) > 0) PEM_write_bio_X509_REQ(bio, request);
  X509_NAME_free(name);
  X509_REQ_free(request);
}

static bool belongs(const struct host *host, X509 *certificate, EVP_PKEY *key) {
  char name[128] = "";
  if (!certificate || !key) return false;
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  return strcmp(name, host->options.id) == 0 && X509_check_private_key(certificate, key) == 1;
}

/** The certificates of a chain, and nothing else that is in it: a key would be taken for ours. False when there is none, or one is damaged. */
static bool copy_chain(BIO *to, const char *chain) {
  BIO *from = BIO_new_mem_buf(chain, -1);
  unsigned copied = 0;
  ERR_clear_error();
  for (X509 *it; (it = PEM_read_bio_X509(from, NULL, NULL, NULL)); X509_free(it)) copied += PEM_write_bio_X509(to, it) == 1;
  // How its end is told.
  bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  BIO_free(from);
  return whole && copied > 0;
}

/** Certificate, chain and key as one file, if they belong together and to this device. */
static int store_pair(struct host *host, const char *name, const char *certificate, const char *chain, EVP_PKEY *key) {
  BIO *given = BIO_new_mem_buf(certificate, -1);
  X509 *x509 = PEM_read_bio_X509(given, NULL, NULL, NULL);
  BIO *bio = BIO_new(BIO_s_mem());
  int error = OTA_ERR_CERTIFICATE;
  if (belongs(host, x509, key) && PEM_write_bio_X509(bio, x509) == 1 && copy_chain(bio, chain)) {
    write_key(bio, key);
    error = replace_with(host, name, bio);
  }
  BIO_free(bio);
  BIO_free(given);
  X509_free(x509);
  return error;
}

static int64_t to_ms(const ASN1_TIME *time) {
  struct tm parts = {0};
  if (!time || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return (int64_t)timegm(&parts) * 1000;
}

static int cert_validity(void *ctx, struct ota_validity *validity) {
  X509 *certificate = read_certificate(ctx, host_identity_file);
  if (!certificate) return OTA_ERR_STORAGE;
  validity->not_before_ms = to_ms(X509_get0_notBefore(certificate));
  validity->not_after_ms = to_ms(X509_get0_notAfter(certificate));
  X509_free(certificate);
  return OTA_OK;
}

static enum ota_renewal_state cert_state(void *ctx) {
  if (host_file_bytes(ctx, host_renewal_file) == 0) return OTA_RENEWAL_NONE;
  X509 *certificate = read_certificate(ctx, host_renewal_file);
  X509_free(certificate);
  return certificate ? OTA_RENEWAL_ISSUED : OTA_RENEWAL_KEY;
}

static int cert_request(void *ctx, char *csr, size_t capacity) {
  struct host *host = ctx;
  EVP_PKEY *key = host_read_key(host, host_renewal_file);
  int error = OTA_OK;
  if (!key) {
    key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    write_key(bio, key);
    error = replace_with(host, host_renewal_file, bio);
    BIO_free(bio);
  }
  BIO *bio = BIO_new(BIO_s_mem());
  write_csr(bio, host->options.id, key);
  char *pem = NULL;
  long bytes = BIO_get_mem_data(bio, &pem);
  if (bytes <= 0 || (size_t)bytes >= capacity) {
    error = OTA_ERR_SPACE;
  } else {
    memcpy(csr, pem, (size_t)bytes);
    csr[bytes] = '\0';
  }
  BIO_free(bio);
  EVP_PKEY_free(key);
  return error;
}

static int cert_store(void *ctx, const char *certificate, const char *chain) {
  EVP_PKEY *key = host_read_key(ctx, host_renewal_file);
  int error = store_pair(ctx, host_renewal_file, certificate, chain, key);
  EVP_PKEY_free(key);
  return error;
}

static int cert_promote(void *ctx) { return host_rename_file(ctx, host_renewal_file, host_identity_file); }

static int cert_drop(void *ctx) { return host_remove_file(ctx, host_renewal_file); }

void host_fill_identity(struct ota_port *port) {
  port->cert_validity = cert_validity;
  port->cert_state = cert_state;
  port->cert_request = cert_request;
  port->cert_store = cert_store;
  port->cert_promote = cert_promote;
  port->cert_drop = cert_drop;
}

bool host_identity(struct host *host, bool *valid) {
  X509 *certificate = read_certificate(host, host_identity_file);
  EVP_PKEY *key = host_read_key(host, host_identity_file);
  bool usable = belongs(host, certificate, key);
  *valid = usable && X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
  X509_free(certificate);
  EVP_PKEY_free(key);
  return usable;
}

int host_enrolment_request(struct host *host, bool with_known_key) {
  EVP_PKEY *key = with_known_key ? host_read_key(host, host_identity_file) : EVP_EC_gen("P-256");
  BIO *bio = BIO_new(BIO_s_mem());
  write_csr(bio, host->options.id, key);
  write_key(bio, key);
  int error = replace_with(host, host_enrolment_file, bio);
  BIO_free(bio);
  EVP_PKEY_free(key);
  return error;
}

int host_enrolment_store(struct host *host, const char *certificate, const char *chain) {
  EVP_PKEY *key = host_read_key(host, host_enrolment_file);
  int error = store_pair(host, host_identity_file, certificate, chain, key);
  EVP_PKEY_free(key);
  return error == OTA_OK ? host_remove_file(host, host_enrolment_file) : error;
}
