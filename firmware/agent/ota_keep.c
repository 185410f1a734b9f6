#include "ota_keep.h"

#include <string.h>

#include "ota_crc.h"

/* Stored: format (1 byte), epoch, boot count (4), a floor (8) for each component, CRC (4). Numbers are little-endian. */
enum { format = 1, stored_bytes = 1 + OTA_RANDOM_ID_CHARS + 4 + 8 * OTA_COMPONENTS + 4 };

static void put(uint8_t **at, uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++) *(*at)++ = (uint8_t)(value >> (8 * i));
}

static uint64_t take(const uint8_t **at, unsigned bytes) {
  uint64_t value = 0;
  for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)*(*at)++ << (8 * i);
  return value;
}

static int read_copy(struct ota_keep *keep, const struct ota_port *port, enum ota_store_key key) {
  uint8_t data[stored_bytes];
  int bytes = port->store_read(port->ctx, key, data, sizeof data);
  if (bytes == OTA_ERR_STORAGE) return OTA_ERR_STORAGE;
  const uint8_t *crc = data + sizeof data - 4;
  if (bytes != (int)sizeof data || data[0] != format || take(&crc, 4) != ota_crc32(data, sizeof data - 4))
    return OTA_ERR_ABSENT;
  const uint8_t *at = data + 1;
  memcpy(keep->epoch, at, OTA_RANDOM_ID_CHARS);
  keep->epoch[OTA_RANDOM_ID_CHARS] = '\0';
  at += OTA_RANDOM_ID_CHARS;
  keep->boot_count = (uint32_t)take(&at, 4);
  for (unsigned i = 0; i < OTA_COMPONENTS; i++) keep->floors[i] = take(&at, 8);
  return OTA_OK;
}

int ota_keep_load(struct ota_keep *keep, const struct ota_port *port) {
  struct ota_keep copy;
  int error = read_copy(keep, port, OTA_STORE_KEEP);
  int other = read_copy(&copy, port, OTA_STORE_KEEP_COPY);
  if (error != OTA_OK && other != OTA_OK) {
    if (error == OTA_ERR_STORAGE || other == OTA_ERR_STORAGE) return OTA_ERR_STORAGE;
    memset(keep, 0, sizeof *keep);
    return ota_random_id(port, keep->epoch) == OTA_OK ? OTA_OK : OTA_ERR_STORAGE;
  }
  if (error != OTA_OK) *keep = copy;
  if (error != OTA_OK || other != OTA_OK) return OTA_OK;
  // The power went between the two: the newer one counts, and no floor is ever lowered.
  if (copy.boot_count > keep->boot_count) keep->boot_count = copy.boot_count;
  for (unsigned i = 0; i < OTA_COMPONENTS; i++)
    if (copy.floors[i] > keep->floors[i]) keep->floors[i] = copy.floors[i];
  return OTA_OK;
}

int ota_keep_store(const struct ota_keep *keep, const struct ota_port *port) {
  uint8_t data[stored_bytes];
  uint8_t *at = data;
  put(&at, format, 1);
  memcpy(at, keep->epoch, OTA_RANDOM_ID_CHARS);
  at += OTA_RANDOM_ID_CHARS;
  put(&at, keep->boot_count, 4);
  for (unsigned i = 0; i < OTA_COMPONENTS; i++) put(&at, keep->floors[i], 8);
  put(&at, ota_crc32(data, sizeof data - 4), 4);
  int error = port->store_write(port->ctx, OTA_STORE_KEEP, data, sizeof data);
  int other = port->store_write(port->ctx, OTA_STORE_KEEP_COPY, data, sizeof data);
  return error == OTA_OK || other == OTA_OK ? OTA_OK : OTA_ERR_STORAGE;
}
