/** AES-GCM and the key schedule are real; ECDH only looks real, as signatures do: it is the port's. */
#include "fake_seal.h"

#include "check.h"

static uint8_t object[fake_slot_bytes + 4096];
static const uint8_t object_key[32] = {0x17, 0x2a};

static void agree(const uint8_t *one, const uint8_t *other, uint8_t *secret) {
  struct fake_hash hash;
  fake_hash_start(&hash);
  for (unsigned i = 0; i < OTA_ES256_BYTES; i++) {
    uint8_t sum = (uint8_t)(one[i] + other[i]);
    fake_hash_update(&hash, &sum, 1);
  }
  fake_hash_finish(&hash, secret);
}

/** Of the certificate that connects; a renewal brings another. */
static void key_of(int key, uint8_t *xy) { memset(xy, 0x40 + key, OTA_ES256_BYTES); }

static int seal_key(void *ctx, uint8_t *xy) {
  key_of(((struct fake *)ctx)->key, xy);
  return OTA_OK;
}

static int seal_agree(void *ctx, const uint8_t *xy, uint8_t *secret) {
  struct fake *fake = ctx;
  uint8_t own[OTA_ES256_BYTES];
  fake->agreements++;
  // What the port is to find out.
  if (xy[0] == 0xff) return OTA_ERR_SIGNATURE;
  key_of(fake->key, own);
  agree(own, xy, secret);
  return OTA_OK;
}

void fake_seal_able(struct fake *fake) {
  fake->port.seal_key = seal_key;
  fake->port.seal_agree = seal_agree;
  fake->port.gcm_open = fake_gcm_open;
}

uint32_t fake_seal_object(const uint8_t *key, const uint8_t *plain, uint32_t bytes, uint8_t *to) {
  uint8_t *at = to;
  memcpy(at, "FLOTASE\1\0\0\x10\0\0\0\0\0", 16);
  for (unsigned i = 0; i < 4; i++) at[16 + i] = (uint8_t)(bytes >> (24 - 8 * i));
  at += SEAL_HEADER_BYTES;
  for (uint32_t done = 0; done < bytes; done += SEAL_CHUNK_BYTES) {
    uint32_t size = bytes - done < SEAL_CHUNK_BYTES ? bytes - done : SEAL_CHUNK_BYTES;
    uint32_t index = done / SEAL_CHUNK_BYTES;
    uint8_t nonce[12] = {0};
    nonce[9] = (uint8_t)(index >> 8);
    nonce[10] = (uint8_t)index;
    nonce[11] = done + size == bytes;
    memcpy(at, plain + done, size);
    fake_gcm_seal(key, nonce, to, SEAL_HEADER_BYTES, at, size, at + size);
    at += size + 16;
  }
  return (uint32_t)(at - to);
}

uint8_t *fake_sealed_chunk(unsigned index) { return object + SEAL_HEADER_BYTES + (size_t)index * (SEAL_CHUNK_BYTES + 16); }

static void base64url(const uint8_t *data, size_t bytes, char *text) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  uint32_t bits = 0;
  unsigned held = 0;
  for (size_t i = 0; i < bytes; i++) {
    bits = bits << 8 | data[i];
    for (held += 8; held >= 6; held -= 6) *text++ = alphabet[bits >> (held - 6) & 63];
  }
  if (held > 0) *text++ = alphabet[bits << (6 - held) & 63];
  *text = '\0';
}

static bool errs(const struct fake *fake, const char *how) { return fake->seal_flaw && strcmp(fake->seal_flaw, how) == 0; }

/** As a server makes it: another ephemeral key each time. */
static const char *make_fragment(struct fake *fake, const char *deployment) {
  static char fragment[200];
  uint8_t wrap[SEAL_WRAP_BYTES] = {4};
  uint8_t info[82];
  uint8_t device[OTA_ES256_BYTES];
  uint8_t secret[32];
  uint8_t key[32];
  uint8_t nonce[12];
  struct ota_port port = fake->port;
  port.ctx = fake;
  CHECK(port.random(port.ctx, wrap + 1, OTA_ES256_BYTES) == OTA_OK);
  wrap[1] = errs(fake, "no point") ? 0xff : wrap[1] & 0x7f;
  key_of(errs(fake, "wrong device") ? 99 : fake->key, device);
  agree(device, wrap + 1, secret);
  memcpy(info, "flota seal 1 ", 13);
  memcpy(info + 13, errs(fake, "other deployment") ? OTHER_DEPLOYMENT : deployment, 36);
  info[49] = ' ';
  if (fake->offer) fake_sha256(fake->patch, fake->patch_bytes, info + 50);
  else fake_sha256(fake->image, fake->image_bytes, info + 50);
  if (errs(fake, "other image")) info[50] ^= 1;
  // The port's one hash is between two uses here, as it is on a device.
  struct fake_hash held = fake->hash;
  CHECK(ota_hpke_schedule(&port, secret, wrap, device, info, sizeof info, key, nonce) == OTA_OK);
  fake->hash = held;
  memcpy(wrap + HPKE_POINT_BYTES, object_key, sizeof object_key);
  fake_gcm_seal(key, nonce, NULL, 0, wrap + HPKE_POINT_BYTES, sizeof object_key, wrap + HPKE_POINT_BYTES + sizeof object_key);
  if (errs(fake, "forged")) wrap[70] ^= 1;
  memcpy(fragment, "#seal1=", 7);
  base64url(wrap, errs(fake, "short") ? 100 : sizeof wrap, fragment + 7);
  return fragment;
}

void fake_seal(struct fake *fake) {
  fake_seal_able(fake);
  const uint8_t *plain = fake->offer ? fake->patch : fake->image;
  fake->sealed_bytes = fake_seal_object(object_key, plain, fake->offer ? fake->patch_bytes : fake->image_bytes, object);
  fake->sealed = object;
  fake->fragment = make_fragment;
}
