#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>

#include "host.h"

void *host_hash_new(void) {
  EVP_MD_CTX *hash = EVP_MD_CTX_new();
  if (hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1) return hash;
  EVP_MD_CTX_free(hash);
  return NULL;
}

int host_hash_update(void *hash, const uint8_t *data, size_t bytes) {
  return EVP_DigestUpdate(hash, data, bytes) == 1 ? OTA_OK : OTA_ERR_STORAGE;
}

int host_hash_end(void *hash, uint8_t digest[OTA_SHA256_BYTES]) {
  int error = EVP_DigestFinal_ex(hash, digest, NULL) == 1 ? OTA_OK : OTA_ERR_STORAGE;
  EVP_MD_CTX_free(hash);
  return error;
}

EVP_PKEY *host_import_key(const uint8_t *xy) {
  uint8_t point[1 + OTA_ES256_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
  for (unsigned i = 0; i < OTA_ES256_BYTES; i++) point[1 + i] = xy[i];
  EVP_PKEY *key = NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  char group[] = "P-256";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
      OSSL_PARAM_construct_end(),
  };
  if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
      EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
    key = NULL;
  EVP_PKEY_CTX_free(context);
  return key;
}

static int es256_verify(void *ctx, const uint8_t *xy, const uint8_t *message, size_t bytes, const uint8_t *signature) {
  (void)ctx;
  int good = 0;
  EVP_PKEY *key = host_import_key(xy);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  ECDSA_SIG *pair = ECDSA_SIG_new();
  uint8_t *der = NULL;
  BIGNUM *r = BN_bin2bn(signature, 32, NULL);
  BIGNUM *s = BN_bin2bn(signature + 32, 32, NULL);
  if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
    int der_bytes = i2d_ECDSA_SIG(pair, &der);
    if (key && context && der_bytes > 0 && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1)
      good = EVP_DigestVerify(context, der, (size_t)der_bytes, message, bytes) == 1;
  }
  OPENSSL_free(der);
  ECDSA_SIG_free(pair);
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  return good ? OTA_OK : OTA_ERR_SIGNATURE;
}

static int make_random(void *ctx, uint8_t *data, size_t bytes) {
  (void)ctx;
  return RAND_bytes(data, (int)bytes) == 1 ? OTA_OK : OTA_ERR_STORAGE;
}

void host_fill_crypto(struct ota_port *port) {
  port->es256_verify = es256_verify;
  port->random = make_random;
}
