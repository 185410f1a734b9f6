#include "ota_jws.h"

#include <string.h>

static int sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  if (c == '_') return 63;
  return -1;
}

int ota_base64url(const char *source, size_t characters, uint8_t *target, size_t capacity) {
  size_t bytes = 0;
  uint32_t bits = 0;
  unsigned held = 0;
  if (characters % 4 == 1) return OTA_ERR_JWS;
  for (size_t i = 0; i < characters; i++) {
    int value = sextet(source[i]);
    if (value < 0) return OTA_ERR_JWS;
    bits = (bits << 6 | (uint32_t)value) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    if (bytes == capacity) return OTA_ERR_SPACE;
    target[bytes++] = (uint8_t)(bits >> held);
  }
  // Left-over bits other than zero would make a second spelling of the same bytes.
  return (bits & ((1u << held) - 1)) == 0 ? (int)bytes : OTA_ERR_JWS;
}

/** The key that a protected header asks for. */
static int find_key(const struct ota_signing_key *keys, size_t key_count, struct ota_json *json, char *header,
                    size_t bytes, const struct ota_signing_key **found) {
  if (ota_json_object(json, header, bytes) != OTA_OK) return OTA_ERR_JWS;
  // RFC 7515 §4.1.11: what must be understood is not understood here.
  if (ota_json_member(json, 0, "crit") >= 0) return OTA_ERR_SIGNATURE;
  const char *alg = ota_json_text(json, 0, "alg");
  const char *kid = ota_json_text(json, 0, "kid");
  if (!alg) return OTA_ERR_JWS;
  if (!kid || strcmp(alg, "ES256") != 0) return OTA_ERR_SIGNATURE;
  for (size_t i = 0; i < key_count; i++) {
    if (strcmp(keys[i].kid, kid) == 0) {
      *found = &keys[i];
      return OTA_OK;
    }
  }
  return OTA_ERR_SIGNATURE;
}

int ota_jws_open(const struct ota_port *port, const struct ota_signing_key *keys, size_t key_count,
                 struct ota_json *json, char *jws, uint8_t *payload, size_t capacity) {
  const struct ota_signing_key *key = NULL;
  uint8_t signature[OTA_ES256_BYTES];
  char *first = strchr(jws, '.');
  char *second = first ? strchr(first + 1, '.') : NULL;
  if (!second || strchr(second + 1, '.')) return OTA_ERR_JWS;

  size_t header_characters = (size_t)(first - jws);
  if (header_characters > capacity) return OTA_ERR_SPACE;
  int bytes = ota_base64url(jws, header_characters, payload, capacity);
  if (bytes < 0) return bytes;
  int error = find_key(keys, key_count, json, (char *)payload, (size_t)bytes, &key);
  if (error != OTA_OK) return error;
  bytes = ota_base64url(second + 1, strlen(second + 1), signature, sizeof signature);
  if (bytes != (int)sizeof signature) return OTA_ERR_SIGNATURE;
  const uint8_t *signed_bytes = (const uint8_t *)jws;
  if (port->es256_verify(port->ctx, key->xy, signed_bytes, (size_t)(second - jws), signature) != OTA_OK)
    return OTA_ERR_SIGNATURE;
  return ota_base64url(first + 1, (size_t)(second - first - 1), payload, capacity);
}
