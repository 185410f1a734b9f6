#include "ota_pace.h"

uint32_t ota_backoff_ms(const struct ota_port *port, uint32_t tries, uint32_t min_ms, uint32_t max_ms) {
  uint64_t full = (uint64_t)min_ms << (tries < 30 ? tries : 30);
  if (full > max_ms) full = max_ms;
  uint8_t jitter = 255;
  if (port->random(port->ctx, &jitter, sizeof jitter) != OTA_OK) jitter = 255;
  return (uint32_t)(full / 2 + full * jitter / 510);
}

int ota_random_id(const struct ota_port *port, char id[OTA_RANDOM_ID_CHARS + 1]) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  uint8_t random[OTA_RANDOM_ID_CHARS];
  id[0] = '\0';
  if (port->random(port->ctx, random, sizeof random) != OTA_OK) return OTA_ERR_STORAGE;
  for (unsigned i = 0; i < OTA_RANDOM_ID_CHARS; i++) id[i] = alphabet[random[i] & 63];
  id[OTA_RANDOM_ID_CHARS] = '\0';
  return OTA_OK;
}

uint32_t ota_next_chunk(uint32_t current, bool broken, uint64_t elapsed_ms, uint32_t fast_ms, uint32_t slow_ms,
                        uint32_t floor, uint32_t ceiling) {
  uint64_t next = current;
  if (broken || elapsed_ms > slow_ms) next = current / 2;
  else if (elapsed_ms < fast_ms) next = (uint64_t)current * 2;
  if (next < floor) next = floor;
  return next > ceiling ? ceiling : (uint32_t)next;
}

uint64_t ota_earlier(uint64_t one, uint64_t other) {
  if (one == 0) return other;
  return other == 0 || one < other ? one : other;
}
