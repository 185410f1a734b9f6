#include "fake_aes.h"

#include <string.h>

#include "../ota_error.h"
#include "unchecked.h"

enum { rounds = 14, words = 60 };

static uint8_t sbox[256];
// Not on the stack: it would be counted with the agent's.
static uint8_t schedule[words * 4];
static uint8_t hash_key[16], hash_state[16];

static uint8_t twice(uint8_t x) { return (uint8_t)(x << 1 ^ (x >> 7 ? 0x1b : 0)); }

/** FIPS 197 §5.1.1: the inverse in GF(2^8), by running through the powers of 3 both ways, then the affine step. */
static void make_sbox(void) {
  uint8_t p = 1;
  uint8_t q = 1;
  do {
    p = (uint8_t)(p ^ twice(p));
    q = (uint8_t)(q ^ q << 1);
    q = (uint8_t)(q ^ q << 2);
    q = (uint8_t)(q ^ q << 4);
    if (q & 0x80) q ^= 0x09;
    uint8_t s = q;
    for (unsigned i = 1; i < 5; i++) s = (uint8_t)(s ^ (q << i | q >> (8 - i)));
    sbox[p] = s ^ 0x63;
  } while (p != 1);
  sbox[0] = 0x63;
}

/** FIPS 197 §5.2. */
static void expand(const uint8_t *key) {
  uint8_t constant = 1;
  if (sbox[0] == 0) make_sbox();
  memcpy(schedule, key, 32);
  for (unsigned i = 8; i < words; i++) {
    uint8_t word[4];
    memcpy(word, schedule + 4 * (i - 1), 4);
    if (i % 8 == 0) {
      uint8_t first = word[0];
      for (unsigned k = 0; k < 3; k++) word[k] = sbox[word[k + 1]];
      word[3] = sbox[first];
      word[0] ^= constant;
      constant = twice(constant);
    } else if (i % 8 == 4) {
      for (unsigned k = 0; k < 4; k++) word[k] = sbox[word[k]];
    }
    for (unsigned k = 0; k < 4; k++) schedule[4 * i + k] = schedule[4 * (i - 8) + k] ^ word[k];
  }
}

UNCHECKED static void add_round(uint8_t *block, unsigned round) {
  for (unsigned i = 0; i < 16; i++) block[i] ^= schedule[16 * round + i];
}

UNCHECKED static void encrypt(uint8_t *block) {
  add_round(block, 0);
  for (unsigned round = 1; round <= rounds; round++) {
    uint8_t shifted[16];
    for (unsigned i = 0; i < 16; i++) shifted[i] = sbox[block[(i + 4 * (i % 4)) % 16]];
    for (unsigned c = 0; c < 16; c += 4) {
      const uint8_t *in = shifted + c;
      uint8_t all = in[0] ^ in[1] ^ in[2] ^ in[3];
      for (unsigned i = 0; i < 4; i++) block[c + i] = round == rounds ? in[i] : in[i] ^ all ^ twice(in[i] ^ in[(i + 1) % 4]);
    }
    add_round(block, round);
  }
}

static uint64_t read_half(const uint8_t *bytes) {
  uint64_t half = 0;
  for (unsigned i = 0; i < 8; i++) half = half << 8 | bytes[i];
  return half;
}

/** SP 800-38D §6.3: times the hash key. */
UNCHECKED static void multiply(void) {
  uint64_t v[2] = {read_half(hash_key), read_half(hash_key + 8)};
  uint64_t z[2] = {0, 0};
  for (unsigned i = 0; i < 128; i++) {
    if (hash_state[i / 8] >> (7 - i % 8) & 1) z[0] ^= v[0], z[1] ^= v[1];
    uint64_t odd = v[1] & 1;
    v[1] = v[1] >> 1 | v[0] << 63;
    v[0] = v[0] >> 1 ^ (odd ? (uint64_t)0xe1 << 56 : 0);
  }
  for (unsigned i = 0; i < 16; i++) hash_state[i] = (uint8_t)(z[i / 8] >> (56 - 8 * (i % 8)));
}

static void hash(const uint8_t *data, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 16) {
    for (size_t i = 0; i < 16 && at + i < bytes; i++) hash_state[i] ^= data[at + i];
    multiply();
  }
}

static void begin(const uint8_t *key) {
  expand(key);
  memset(hash_key, 0, sizeof hash_key);
  memset(hash_state, 0, sizeof hash_state);
  encrypt(hash_key);
}

static void counter_block(const uint8_t *nonce, uint32_t counter, uint8_t *block) {
  memcpy(block, nonce, 12);
  for (unsigned i = 0; i < 4; i++) block[12 + i] = (uint8_t)(counter >> (24 - 8 * i));
  encrypt(block);
}

static void crypt(const uint8_t *nonce, uint8_t *data, size_t bytes) {
  uint8_t block[16];
  for (size_t i = 0; i < bytes; i++) {
    if (i % 16 == 0) counter_block(nonce, (uint32_t)(2 + i / 16), block);
    data[i] ^= block[i % 16];
  }
}

static void make_tag(const uint8_t *nonce, const uint8_t *extra, size_t extra_bytes, const uint8_t *data, size_t bytes, uint8_t *tag) {
  uint8_t lengths[16] = {0};
  for (unsigned i = 0; i < 4; i++) {
    lengths[4 + i] = (uint8_t)(extra_bytes * 8 >> (24 - 8 * i));
    lengths[12 + i] = (uint8_t)(bytes * 8 >> (24 - 8 * i));
  }
  hash(extra, extra_bytes);
  hash(data, bytes);
  hash(lengths, sizeof lengths);
  counter_block(nonce, 1, tag);
  for (unsigned i = 0; i < 16; i++) tag[i] ^= hash_state[i];
}

void fake_gcm_seal(const uint8_t *key, const uint8_t *nonce, const uint8_t *extra, size_t extra_bytes, uint8_t *data, size_t bytes,
                   uint8_t *tag) {
  begin(key);
  crypt(nonce, data, bytes);
  make_tag(nonce, extra, extra_bytes, data, bytes, tag);
}

int fake_gcm_open(void *ctx, const uint8_t *key, const uint8_t *nonce, const uint8_t *extra, size_t extra_bytes, uint8_t *data,
                  size_t bytes, const uint8_t *tag) {
  uint8_t expected[16];
  (void)ctx;
  begin(key);
  make_tag(nonce, extra, extra_bytes, data, bytes, expected);
  // What a caller must not look at is spoilt, too.
  if (memcmp(expected, tag, sizeof expected) != 0) return memset(data, 0xee, bytes), OTA_ERR_SIGNATURE;
  crypt(nonce, data, bytes);
  return OTA_OK;
}
