#include "hpke.h"

#include <string.h>

// Builds that take all sources of this folder leave it out, too.
#ifdef FLOTA_SEAL

enum { block_bytes = 64, hash_bytes = OTA_SHA256_BYTES };

struct piece {
  const void *data;
  size_t bytes;
};

/** RFC 9180 §5.1 and §7.1: "KEM" and the KEM's id; "HPKE" and the ids of KEM, KDF and AEAD. */
static const uint8_t kem_suite_text[] = {'K', 'E', 'M', 0x00, 0x10};
static const uint8_t suite_text[] = {'H', 'P', 'K', 'E', 0x00, 0x10, 0x00, 0x01, 0x00, 0x02};
static const struct piece kem_suite = {kem_suite_text, sizeof kem_suite_text};
static const struct piece suite = {suite_text, sizeof suite_text};
static const struct piece version = {"HPKE-v1", 7};
static const struct piece nothing = {"", 0};

/** One of the two hashes of an HMAC: the key with `pad`, then the pieces. */
static int hash_with(const struct ota_port *port, const uint8_t key[hash_bytes], uint8_t pad, const struct piece *pieces, size_t count,
                     uint8_t digest[hash_bytes]) {
  uint8_t block[block_bytes];
  memset(block, pad, sizeof block);
  for (unsigned i = 0; i < hash_bytes; i++) block[i] ^= key[i];
  int error = port->sha256_start(port->ctx);
  if (error == OTA_OK) error = port->sha256_update(port->ctx, block, sizeof block);
  for (size_t i = 0; i < count && error == OTA_OK; i++)
    if (pieces[i].bytes > 0) error = port->sha256_update(port->ctx, pieces[i].data, pieces[i].bytes);
  return error == OTA_OK ? port->sha256_finish(port->ctx, digest) : error;
}

/** RFC 2104. A key of nothing and one of 32 zeros are the same. `digest` may be the key. */
static int hmac(const struct ota_port *port, const uint8_t key[hash_bytes], const struct piece *pieces, size_t count,
                uint8_t digest[hash_bytes]) {
  uint8_t inner[hash_bytes];
  int error = hash_with(port, key, 0x36, pieces, count, inner);
  const struct piece whole = {inner, sizeof inner};
  return error == OTA_OK ? hash_with(port, key, 0x5c, &whole, 1, digest) : error;
}

/** §4: LabeledExtract. */
static int extract(const struct ota_port *port, struct piece of, const uint8_t salt[hash_bytes], const char *label, struct piece ikm,
                   uint8_t prk[hash_bytes]) {
  const struct piece pieces[] = {version, of, {label, strlen(label)}, ikm};
  return hmac(port, salt, pieces, 4, prk);
}

/** §4: LabeledExpand, of at most one block of HKDF. */
static int expand(const struct ota_port *port, struct piece of, const uint8_t prk[hash_bytes], const char *label, struct piece info,
                  uint8_t bytes, uint8_t *out) {
  uint8_t block[hash_bytes];
  const uint8_t length[] = {0, bytes};
  const uint8_t first = 1;
  const struct piece pieces[] = {{length, 2}, version, of, {label, strlen(label)}, info, {&first, 1}};
  int error = hmac(port, prk, pieces, 6, block);
  if (error == OTA_OK) memcpy(out, block, bytes);
  return error;
}

int ota_hpke_schedule(const struct ota_port *port, const uint8_t agreed[32], const uint8_t sent[HPKE_POINT_BYTES],
                  const uint8_t own[OTA_ES256_BYTES], const uint8_t *info, size_t info_bytes, uint8_t key[OTA_AES_KEY_BYTES],
                  uint8_t nonce[OTA_GCM_NONCE_BYTES]) {
  static const uint8_t zeros[hash_bytes] = {0};
  uint8_t secret[hash_bytes];
  uint8_t points[2 * HPKE_POINT_BYTES];
  // §5.1: mode base, the hash of no psk_id, that of info.
  uint8_t context[1 + 2 * hash_bytes] = {0};
  const struct piece both = {points, sizeof points};
  const struct piece all = {context, sizeof context};
  memcpy(points, sent, HPKE_POINT_BYTES);
  points[HPKE_POINT_BYTES] = 4;
  memcpy(points + HPKE_POINT_BYTES + 1, own, OTA_ES256_BYTES);
  int error = extract(port, kem_suite, zeros, "eae_prk", (struct piece){agreed, 32}, secret);
  if (error == OTA_OK) error = expand(port, kem_suite, secret, "shared_secret", both, hash_bytes, secret);
  if (error == OTA_OK) error = extract(port, suite, zeros, "psk_id_hash", nothing, context + 1);
  if (error == OTA_OK) error = extract(port, suite, zeros, "info_hash", (struct piece){info, info_bytes}, context + 1 + hash_bytes);
  if (error == OTA_OK) error = extract(port, suite, secret, "secret", nothing, secret);
  if (error == OTA_OK) error = expand(port, suite, secret, "key", all, OTA_AES_KEY_BYTES, key);
  if (error == OTA_OK) error = expand(port, suite, secret, "base_nonce", all, OTA_GCM_NONCE_BYTES, nonce);
  return error;
}

int ota_hpke_open(const struct ota_port *port, const uint8_t sent[HPKE_POINT_BYTES], const uint8_t *info, size_t info_bytes, uint8_t *data,
              size_t bytes) {
  uint8_t own[OTA_ES256_BYTES];
  uint8_t agreed[32];
  uint8_t key[OTA_AES_KEY_BYTES];
  uint8_t nonce[OTA_GCM_NONCE_BYTES];
  if (sent[0] != 4) return OTA_ERR_SIGNATURE;
  int error = port->seal_key(port->ctx, own);
  if (error == OTA_OK) error = port->seal_agree(port->ctx, sent + 1, agreed);
  if (error == OTA_OK) error = ota_hpke_schedule(port, agreed, sent, own, info, info_bytes, key, nonce);
  return error == OTA_OK ? port->gcm_open(port->ctx, key, nonce, NULL, 0, data, bytes, data + bytes) : error;
}

#endif
