#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "fake.h"

void fake_sha256(const uint8_t *data, size_t bytes, uint8_t *digest) {
  CHECK(EVP_Digest(data, bytes, digest, NULL, EVP_sha256(), NULL) == 1);
}

/** Made once: keys are slow, and no test depends on their value. */
static EVP_PKEY *key_of(int signer) {
  static EVP_PKEY *keys[3];
  if (!keys[signer]) keys[signer] = EVP_EC_gen("P-256");
  CHECK(keys[signer]);
  return keys[signer];
}

void fake_public_key(int signer, uint8_t *xy) {
  uint8_t point[65];
  size_t bytes = 0;
  CHECK(EVP_PKEY_get_octet_string_param(key_of(signer), "pub", point, sizeof point, &bytes) == 1 && bytes == 65);
  memcpy(xy, point + 1, 64);
}

static void to_base64url(const uint8_t *data, size_t bytes, char *text, size_t capacity) {
  size_t length = strlen(text);
  CHECK(length + bytes * 4 / 3 + 5 < capacity);
  int written = EVP_EncodeBlock((unsigned char *)text + length, data, (int)bytes);
  char *end = text + length + written;
  while (end > text + length && end[-1] == '=') *--end = '\0';
  for (char *c = text + length; c < end; c++) *c = (char)(*c == '+' ? '-' : *c == '/' ? '_' : *c);
}

void fake_sign(const char *header, const char *payload, int signer, char *jws, size_t capacity) {
  uint8_t der[80];
  size_t der_bytes = sizeof der;
  uint8_t raw[64];
  jws[0] = '\0';
  to_base64url((const uint8_t *)header, strlen(header), jws, capacity);
  strcat(jws, ".");
  to_base64url((const uint8_t *)payload, strlen(payload), jws, capacity);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  CHECK(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key_of(signer)) == 1);
  CHECK(EVP_DigestSign(context, der, &der_bytes, (const uint8_t *)jws, strlen(jws)) == 1);
  EVP_MD_CTX_free(context);
  const uint8_t *at = der;
  ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)der_bytes);
  CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32) == 32);
  CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32) == 32);
  ECDSA_SIG_free(signature);
  strcat(jws, ".");
  to_base64url(raw, sizeof raw, jws, capacity);
}

/** Which of the keys has this public half. */
static EVP_PKEY *find_key(const uint8_t *xy) {
  uint8_t known[64];
  for (int i = 0; i < 3; i++) {
    fake_public_key(i, known);
    if (memcmp(known, xy, sizeof known) == 0) return key_of(i);
  }
  return NULL;
}

int fake_verify(void *ctx, const uint8_t *xy, const uint8_t *message, size_t bytes, const uint8_t *signature) {
  (void)ctx;
  ECDSA_SIG *pair = ECDSA_SIG_new();
  ECDSA_SIG_set0(pair, BN_bin2bn(signature, 32, NULL), BN_bin2bn(signature + 32, 32, NULL));
  uint8_t *der = NULL;
  int der_bytes = i2d_ECDSA_SIG(pair, &der);
  ECDSA_SIG_free(pair);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  CHECK(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, find_key(xy)) == 1);
  int good = EVP_DigestVerify(context, der, (size_t)der_bytes, message, bytes);
  EVP_MD_CTX_free(context);
  OPENSSL_free(der);
  return good == 1 ? OTA_OK : OTA_ERR_SIGNATURE;
}
