/** For sealed objects: ECDH with the key of the certificate, and AES-GCM, both by OpenSSL. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <string.h>

#include "host.h"

static int seal_key(void *ctx, uint8_t *xy) {
  uint8_t point[1 + OTA_ES256_BYTES];
  size_t bytes = 0;
  EVP_PKEY *key = host_read_key(ctx, host_identity_file);
  bool good = key && EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &bytes) == 1 &&
              bytes == sizeof point && point[0] == POINT_CONVERSION_UNCOMPRESSED;
  EVP_PKEY_free(key);
  if (good) memcpy(xy, point + 1, OTA_ES256_BYTES);
  return good ? OTA_OK : OTA_ERR_ABSENT;
}

static int seal_agree(void *ctx, const uint8_t *xy, uint8_t *secret) {
  size_t bytes = 32;
  EVP_PKEY *own = host_read_key(ctx, host_identity_file);
  // Refuses what is no point of the curve.
  EVP_PKEY *peer = host_import_key(xy);
  EVP_PKEY_CTX *context = own && peer ? EVP_PKEY_CTX_new(own, NULL) : NULL;
  bool good = context && EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer_ex(context, peer, 1) == 1 &&
              EVP_PKEY_derive(context, secret, &bytes) == 1 && bytes == 32;
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_free(peer);
  EVP_PKEY_free(own);
  return good ? OTA_OK : OTA_ERR_SIGNATURE;
}

static int gcm_open(void *ctx, const uint8_t *key, const uint8_t *nonce, const uint8_t *extra, size_t extra_bytes, uint8_t *data,
                    size_t bytes, const uint8_t *tag) {
  (void)ctx;
  uint8_t expected[OTA_GCM_TAG_BYTES];
  int taken = 0;
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  memcpy(expected, tag, sizeof expected);
  bool good = cipher && EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
              (extra_bytes == 0 || EVP_DecryptUpdate(cipher, NULL, &taken, extra, (int)extra_bytes) == 1) &&
              EVP_DecryptUpdate(cipher, data, &taken, data, (int)bytes) == 1 &&
              EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, sizeof expected, expected) == 1 &&
              EVP_DecryptFinal_ex(cipher, data + taken, &taken) == 1;
  EVP_CIPHER_CTX_free(cipher);
  return good ? OTA_OK : OTA_ERR_SIGNATURE;
}

void host_fill_seal(struct ota_port *port) {
  port->seal_key = seal_key;
  port->seal_agree = seal_agree;
  port->gcm_open = gcm_open;
}
