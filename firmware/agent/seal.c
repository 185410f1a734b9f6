#include "seal.h"

#include <string.h>

#include "ota_delta.h"
#include "ota_jws.h"
#include "ota_life.h"
#include "ota_seal.h"

// Builds that take all sources of this folder leave it out, too.
#ifdef FLOTA_SEAL

enum { sealed_chunk_bytes = SEAL_CHUNK_BYTES + OTA_GCM_TAG_BYTES };

static const char prefix[] = "#seal1=";

/** The form, the size of chunks, and the plain size, which is what the manifest says: nothing of the object's own header is believed. */
static void make_header(uint32_t plain_bytes, uint8_t header[SEAL_HEADER_BYTES]) {
  static const uint8_t begin[] = {'F', 'L', 'O', 'T', 'A', 'S', 'E', 1, 0, 0, SEAL_CHUNK_BYTES >> 8, 0, 0, 0, 0, 0};
  memcpy(header, begin, sizeof begin);
  for (unsigned i = 0; i < 4; i++) header[sizeof begin + i] = (uint8_t)(plain_bytes >> (24 - 8 * i));
}

static uint32_t chunks_of(uint32_t plain_bytes) { return plain_bytes / SEAL_CHUNK_BYTES + (plain_bytes % SEAL_CHUNK_BYTES > 0); }

static uint64_t sealed_bytes(uint32_t plain_bytes) {
  return SEAL_HEADER_BYTES + plain_bytes + (uint64_t)chunks_of(plain_bytes) * OTA_GCM_TAG_BYTES;
}

/** Where a chunk begins; one behind the last: where the object ends. */
static uint64_t offset_of(uint32_t index, uint32_t plain_bytes) {
  return index < chunks_of(plain_bytes) ? SEAL_HEADER_BYTES + (uint64_t)index * sealed_chunk_bytes : sealed_bytes(plain_bytes);
}

static bool is_able(const struct ota_agent *agent) {
  const struct ota_port *port = agent->port;
  return agent->config.buffers.seal && port->seal_key && port->seal_agree && port->gcm_open;
}

void ota_seal_begin(struct ota_agent *agent) {
  struct ota_seal *seal = agent->config.buffers.seal;
  if (seal) seal->opened = seal->is_sealed = seal->is_broken = false;
}

/** The key that a URL brings is bound to the deployment, and to the digest of the image or patch that the signed manifest names. */
static bool unwrap(struct ota_agent *agent, const char *fragment) {
  struct ota_seal *seal = agent->config.buffers.seal;
  const struct ota_state *state = &agent->journal.state;
  static const char label[] = "flota seal 1 ";
  uint8_t info[sizeof label + OTA_UUID_MAX + OTA_SHA256_BYTES];
  uint8_t wrap[SEAL_WRAP_BYTES];
  uint8_t key[OTA_AES_KEY_BYTES + OTA_GCM_TAG_BYTES];
  if (ota_base64url(fragment, strlen(fragment), wrap, sizeof wrap) != (int)sizeof wrap) return false;
  if (seal->opened && memcmp(wrap, seal->wrap, sizeof wrap) == 0) return true;
  memcpy(info, label, sizeof label - 1);
  memcpy(info + sizeof label - 1, state->job.attempt.deployment, OTA_UUID_MAX);
  info[sizeof label - 1 + OTA_UUID_MAX] = ' ';
  memcpy(info + sizeof label + OTA_UUID_MAX, state->staged_sha256, OTA_SHA256_BYTES);
  memcpy(key, wrap + HPKE_POINT_BYTES, sizeof key);
  seal->opened = ota_hpke_open(agent->port, wrap, info, sizeof info, key, OTA_AES_KEY_BYTES) == OTA_OK;
  if (!seal->opened) return false;
  memcpy(seal->key, key, sizeof seal->key);
  memcpy(seal->wrap, wrap, sizeof wrap);
  return true;
}

int ota_seal_get(struct ota_agent *agent, uint32_t from, uint32_t to) {
  const struct ota_port *port = agent->port;
  struct ota_seal *seal = agent->config.buffers.seal;
  char *url = agent->config.buffers.url;
  char *fragment = strchr(url, '#');
  bool is_sealed = is_able(agent) && fragment && strncmp(fragment, prefix, sizeof prefix - 1) == 0;
  if (seal) seal->is_sealed = is_sealed;
  if (!is_sealed) return port->http_get(port->ctx, url, from, to);
  // Said as by a server that refuses the URL, so that another one is asked for.
  seal->is_refused = !unwrap(agent, fragment + sizeof prefix - 1);
  if (seal->is_refused) {
    port->log(port->ctx, OTA_LOG_WARN, "the key of the sealed object is not for this device and update");
    return OTA_OK;
  }
  uint32_t size = ota_delta_bytes(agent);
  uint64_t begin = offset_of(from / SEAL_CHUNK_BYTES, size);
  uint64_t end = to > 0 ? offset_of(chunks_of(to), size) : 0;
  // A fragment is the client's own.
  *fragment = '\0';
  int error = port->http_get(port->ctx, url, (uint32_t)begin, (uint32_t)end);
  *fragment = prefix[0];
  return error;
}

/** Whole chunks of a range, in terms of the plain object; what is of another form is left out, and so found wanting. */
static void plan_range(struct ota_agent *agent, struct ota_http_head *head) {
  struct ota_seal *seal = agent->config.buffers.seal;
  uint32_t from = agent->download.from;
  uint32_t size = ota_delta_bytes(agent);
  uint64_t behind = head->last + 1;
  seal->index = from / SEAL_CHUNK_BYTES;
  seal->skip = from % SEAL_CHUNK_BYTES;
  seal->end = seal->index;
  if (behind <= sealed_bytes(size))
    while (seal->end < chunks_of(size) && offset_of(seal->end + 1, size) <= behind) seal->end++;
  head->has_range = head->has_range && head->first == offset_of(seal->index, size) && seal->end > seal->index;
  head->first = from;
  head->last = (seal->end < chunks_of(size) ? seal->end * SEAL_CHUNK_BYTES : size) - 1;
}

int ota_seal_head(struct ota_agent *agent, struct ota_http_head *head) {
  const struct ota_port *port = agent->port;
  struct ota_seal *seal = agent->config.buffers.seal;
  if (!seal || !seal->is_sealed) return port->http_head(port->ctx, head);
  if (seal->is_refused) {
    ota_http_head_begin(head, 403);
    return 1;
  }
  int answered = port->http_head(port->ctx, head);
  if (answered <= 0) return answered;
  uint32_t size = ota_delta_bytes(agent);
  // No object has 0 bytes: that is a wrong size to the download.
  head->total = head->total == sealed_bytes(size) ? size : 0;
  head->length = head->length == sealed_bytes(size) ? size : 0;
  seal->filled = seal->from = seal->to = 0;
  seal->ahead = seal->skip = 0;
  if (head->status == 206) {
    plan_range(agent, head);
  } else {
    seal->ahead = SEAL_HEADER_BYTES;
    seal->index = 0;
    seal->end = chunks_of(size);
  }
  return answered;
}

/** Brings bytes of the body until a chunk is whole. More than 0: it is; else what the port has said. */
static int fill(struct ota_agent *agent, size_t chunk_bytes) {
  const struct ota_port *port = agent->port;
  struct ota_seal *seal = agent->config.buffers.seal;
  while (seal->ahead > 0 || seal->filled < chunk_bytes) {
    bool is_ahead = seal->ahead > 0;
    int bytes = port->http_read(port->ctx, seal->chunk + seal->filled, is_ahead ? seal->ahead : chunk_bytes - seal->filled);
    if (bytes <= 0) return bytes;
    // A network that takes longer for a chunk than for a stall is slow, and no more.
    agent->download.heard_at = ota_now(agent);
    if (is_ahead) seal->ahead -= (uint32_t)bytes;
    else seal->filled = (uint16_t)(seal->filled + bytes);
  }
  return 1;
}

/** The number of the chunk, and whether it is the last: no two chunks of an object have the same, and no two objects one key. */
static int open_chunk(struct ota_agent *agent, size_t plain_bytes) {
  const struct ota_port *port = agent->port;
  struct ota_seal *seal = agent->config.buffers.seal;
  uint32_t size = ota_delta_bytes(agent);
  uint8_t header[SEAL_HEADER_BYTES];
  uint8_t nonce[OTA_GCM_NONCE_BYTES] = {0};
  make_header(size, header);
  for (unsigned i = 0; i < 4; i++) nonce[7 + i] = (uint8_t)(seal->index >> (24 - 8 * i));
  nonce[11] = seal->index + 1 == chunks_of(size);
  return port->gcm_open(port->ctx, seal->key, nonce, header, sizeof header, seal->chunk, plain_bytes, seal->chunk + plain_bytes);
}

int ota_seal_read(struct ota_agent *agent, uint8_t *data, size_t capacity) {
  const struct ota_port *port = agent->port;
  struct ota_seal *seal = agent->config.buffers.seal;
  if (!seal || !seal->is_sealed) return port->http_read(port->ctx, data, capacity);
  if (seal->from == seal->to && seal->index == seal->end) {
    int bytes = port->http_read(port->ctx, seal->chunk, sizeof seal->chunk);
    // What is behind the last whole chunk is of no use, and not waited for.
    return bytes > 0 ? OTA_ERR_NETWORK : bytes;
  }
  if (seal->from == seal->to) {
    uint32_t size = ota_delta_bytes(agent);
    uint32_t left = size - seal->index * SEAL_CHUNK_BYTES;
    size_t plain_bytes = left < SEAL_CHUNK_BYTES ? left : SEAL_CHUNK_BYTES;
    int filled = fill(agent, plain_bytes + OTA_GCM_TAG_BYTES);
    if (filled <= 0) return filled;
    if (open_chunk(agent, plain_bytes) != OTA_OK) {
      seal->is_broken = true;
      return OTA_ERR_NETWORK;
    }
    // Bytes of the chunk that came in an earlier life.
    agent->download.stats.received_bytes += seal->skip;
    agent->download.stats.redownloaded_bytes += seal->skip;
    seal->from = (uint16_t)seal->skip;
    seal->to = (uint16_t)plain_bytes;
    seal->skip = seal->filled = 0;
    seal->index++;
  }
  size_t bytes = (size_t)(seal->to - seal->from);
  if (bytes > capacity) bytes = capacity;
  memcpy(data, seal->chunk + seal->from, bytes);
  seal->from = (uint16_t)(seal->from + bytes);
  return (int)bytes;
}

bool ota_seal_fails(struct ota_agent *agent) {
  struct ota_seal *seal = agent->config.buffers.seal;
  if (!seal || !seal->is_broken) return false;
  seal->is_broken = false;
  // What was staged before it is genuine, and stays.
  ota_apply_failed(agent, OTA_FAILURE_DOWNLOAD_FAILED, "the sealed object is not genuine");
  return true;
}

void ota_seal_write_ability(const struct ota_agent *agent, struct ota_text *text) {
  uint8_t xy[OTA_ES256_BYTES];
  if (is_able(agent) && agent->port->seal_key(agent->port->ctx, xy) == OTA_OK) ota_text_member_string(text, "seal", "hpke-p256");
}

#endif
