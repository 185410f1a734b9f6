#include "ota_keep.h"

#include <string.h>

#include "ota_bytes.h"
#include "ota_crc.h"

/* Stored: format (1 byte), epoch, boot count (4), a floor (8) for each component, CRC (4). Numbers are little-endian. */
enum {
  format = 1,
  boots_at = 1 + OTA_RANDOM_ID_CHARS,
  floors_at = boots_at + 4,
  crc_at = floors_at + 8 * OTA_COMPONENTS,
  stored_bytes = crc_at + 4,
};

static int read_copy(struct ota_keep *keep, const struct ota_port *port, enum ota_store_key key) {
  uint8_t data[stored_bytes];
  int bytes = port->store_read(port->ctx, key, data, sizeof data);
  if (bytes == OTA_ERR_STORAGE) return OTA_ERR_STORAGE;
  if (bytes != (int)sizeof data || data[0] != format || ota_take_number(data + crc_at, 4) != ota_crc32(data, crc_at))
    return OTA_ERR_ABSENT;
  memcpy(keep->epoch, data + 1, OTA_RANDOM_ID_CHARS);
  keep->epoch[OTA_RANDOM_ID_CHARS] = '\0';
  keep->boot_count = (uint32_t)ota_take_number(data + boots_at, 4);
  for (unsigned i = 0; i < OTA_COMPONENTS; i++) keep->floors[i] = ota_take_number(data + floors_at + (size_t)8 * i, 8);
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
  data[0] = format;
  memcpy(data + 1, keep->epoch, OTA_RANDOM_ID_CHARS);
  ota_put_number(data + boots_at, keep->boot_count, 4);
  for (unsigned i = 0; i < OTA_COMPONENTS; i++) ota_put_number(data + floors_at + (size_t)8 * i, keep->floors[i], 8);
  ota_put_number(data + crc_at, ota_crc32(data, crc_at), 4);
  int error = port->store_write(port->ctx, OTA_STORE_KEEP, data, sizeof data);
  int other = port->store_write(port->ctx, OTA_STORE_KEEP_COPY, data, sizeof data);
  return error == OTA_OK || other == OTA_OK ? OTA_OK : OTA_ERR_STORAGE;
}
