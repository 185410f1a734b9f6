/** SHA-256 for real, and signatures that only look real: what a port does with them is the port's, the agent only carries them. */
#include <string.h>

#include "check.h"
#include "fake.h"
#include "unchecked.h"

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// No function, for that would have the sanitizers that hash_block has not.
#define rotated(x, by) ((x) >> (by) | (x) << (32 - (by)))

/** Unrolled: most of what the tests compute is this, on emulated processors, too. */
#define ROUND(a, b, c, d, e, f, g, h, i) \
  do { \
    uint32_t sum = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + (g ^ (e & (f ^ g))) + round_constants[i] + w[i]; \
    d += sum; \
    h = sum + (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) | (c & (a | b))); \
  } while (0)

UNCHECKED static void hash_block(struct fake_hash *hash, const uint8_t *block) {
  // Not on the stack: it would be counted with the agent's.
  static uint32_t w[64];
  for (unsigned i = 0; i < 16; i++, block += 4)
    w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
  for (unsigned i = 16; i < 64; i++) {
    uint32_t s0 = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t s1 = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  uint32_t *state = hash->state;
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (unsigned i = 0; i < 64; i += 8) {
    ROUND(a, b, c, d, e, f, g, h, i);
    ROUND(h, a, b, c, d, e, f, g, i + 1);
    ROUND(g, h, a, b, c, d, e, f, i + 2);
    ROUND(f, g, h, a, b, c, d, e, i + 3);
    ROUND(e, f, g, h, a, b, c, d, i + 4);
    ROUND(d, e, f, g, h, a, b, c, i + 5);
    ROUND(c, d, e, f, g, h, a, b, i + 6);
    ROUND(b, c, d, e, f, g, h, a, i + 7);
  }
  const uint32_t v[8] = {a, b, c, d, e, f, g, h};
  for (unsigned i = 0; i < 8; i++) state[i] += v[i];
}

void fake_hash_start(struct fake_hash *hash) {
  static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, start, sizeof start);
  hash->bytes = 0;
}

void fake_hash_update(struct fake_hash *hash, const uint8_t *data, size_t bytes) {
  while (bytes > 0) {
    size_t held = (size_t)(hash->bytes % 64);
    size_t taken = 64 - held < bytes ? 64 - held : bytes;
    memcpy(hash->block + held, data, taken);
    hash->bytes += taken;
    data += taken;
    bytes -= taken;
    if (held + taken == 64) hash_block(hash, hash->block);
  }
}

void fake_hash_finish(struct fake_hash *hash, uint8_t *digest) {
  static const uint8_t padding[64] = {0x80};
  uint8_t length[8];
  for (unsigned i = 0; i < 8; i++) length[i] = (uint8_t)(hash->bytes * 8 >> (56 - 8 * i));
  fake_hash_update(hash, padding, (size_t)(1 + (119 - hash->bytes % 64) % 64));
  fake_hash_update(hash, length, sizeof length);
  for (unsigned i = 0; i < 32; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

void fake_sha256(const uint8_t *data, size_t bytes, uint8_t *digest) {
  struct fake_hash hash;
  fake_hash_start(&hash);
  fake_hash_update(&hash, data, bytes);
  fake_hash_finish(&hash, digest);
}

void fake_public_key(int signer, uint8_t *xy) { memset(xy, 'a' + signer, 64); }

/** Digest of key and message, twice. */
static void sign(const uint8_t *xy, const uint8_t *message, size_t bytes, uint8_t *signature) {
  struct fake_hash hash;
  fake_hash_start(&hash);
  fake_hash_update(&hash, xy, 64);
  fake_hash_update(&hash, message, bytes);
  fake_hash_finish(&hash, signature);
  memcpy(signature + 32, signature, 32);
}

int fake_verify(void *ctx, const uint8_t *xy, const uint8_t *message, size_t bytes, const uint8_t *signature) {
  uint8_t expected[64];
  (void)ctx;
  sign(xy, message, bytes, expected);
  return memcmp(expected, signature, sizeof expected) == 0 ? OTA_OK : OTA_ERR_SIGNATURE;
}

static void to_base64url(const uint8_t *data, size_t bytes, char *text, size_t capacity) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  size_t length = strlen(text);
  uint32_t bits = 0;
  unsigned held = 0;
  CHECK(length + bytes * 4 / 3 + 5 < capacity);
  for (size_t i = 0; i < bytes; i++) {
    bits = bits << 8 | data[i];
    for (held += 8; held >= 6; held -= 6) text[length++] = alphabet[bits >> (held - 6) & 63];
  }
  if (held > 0) text[length++] = alphabet[bits << (6 - held) & 63];
  text[length] = '\0';
}

void fake_sign(const char *header, const char *payload, int signer, char *jws, size_t capacity) {
  uint8_t xy[64];
  uint8_t signature[64];
  jws[0] = '\0';
  to_base64url((const uint8_t *)header, strlen(header), jws, capacity);
  strcat(jws, ".");
  to_base64url((const uint8_t *)payload, strlen(payload), jws, capacity);
  fake_public_key(signer, xy);
  sign(xy, (const uint8_t *)jws, strlen(jws), signature);
  strcat(jws, ".");
  to_base64url(signature, sizeof signature, jws, capacity);
}
