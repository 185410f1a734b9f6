#include "staging.h"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include "esp_log.h"
#include "buffers.h"
#include "store.h"

static const char mark_name[] = "staged";

static int load_mark(void *ctx, struct slot_staging_mark *mark) {
  (void)ctx;
  const int bytes = flota_store_get(mark_name, mark, sizeof *mark);
  if (bytes == OTA_ERR_STORAGE) return bytes;
  return bytes == (int)sizeof *mark ? OTA_OK : OTA_ERR_ABSENT;
}

static int save_mark(void *ctx, const struct slot_staging_mark *mark) {
  (void)ctx;
  return flota_store_put(mark_name, mark, sizeof *mark);
}

static int open_slot(struct staging *staging) {
  const esp_partition_t *slot = staging->slots->other;
  const uint32_t sector_bytes = slot->erase_size;
  uint8_t *sector = memory_take(sector_bytes);
  if (!sector) return OTA_ERR_SPACE;
  const struct slot_staging_flash flash = {.ctx = staging->slots,
                                           .place = slot->address,
                                           .slot_bytes = slot->size,
                                           .sector_bytes = sector_bytes,
                                           .erase = flota_slots_erase_sector,
                                           .write = flota_slots_write,
                                           .read = flota_slots_read,
                                           .load_mark = load_mark,
                                           .save_mark = save_mark};
  return slot_staging_open(&staging->in_slot, &flash, sector);
}

int flota_staging_open(struct staging *staging, struct slots *slots, const char *path) {
  staging->slots = slots;
  staging->file = path ? open(path, O_RDWR | O_CREAT, 0644) : -1;
  if (path && staging->file < 0) ESP_LOGW("flota", "%s cannot be opened: images are staged in the slot instead", path);
  return staging->file >= 0 ? OTA_OK : open_slot(staging);
}

bool flota_staging_is_in_slot(const struct staging *staging) { return staging->file < 0; }

uint32_t flota_staging_bytes(const struct staging *staging) {
  if (staging->file < 0) return slot_staging_bytes(&staging->in_slot);
  const off_t end = lseek(staging->file, 0, SEEK_END);
  return end > 0 ? (uint32_t)end : 0;
}

int flota_staging_write(struct staging *staging, uint32_t offset, const uint8_t *data, size_t bytes) {
  if (staging->file < 0) return slot_staging_write(&staging->in_slot, offset, data, bytes);
  if (lseek(staging->file, (off_t)offset, SEEK_SET) != (off_t)offset) return OTA_ERR_STORAGE;
  return write(staging->file, data, bytes) == (ssize_t)bytes ? OTA_OK : OTA_ERR_STORAGE;
}

int flota_staging_read(struct staging *staging, uint32_t offset, uint8_t *data, size_t bytes) {
  if (staging->file < 0) return slot_staging_read(&staging->in_slot, offset, data, bytes);
  if (lseek(staging->file, (off_t)offset, SEEK_SET) != (off_t)offset) return OTA_ERR_STORAGE;
  return read(staging->file, data, bytes) == (ssize_t)bytes ? OTA_OK : OTA_ERR_STORAGE;
}

int flota_staging_sync(struct staging *staging) {
  if (staging->file < 0) return slot_staging_sync(&staging->in_slot);
  return fsync(staging->file) == 0 ? OTA_OK : OTA_ERR_STORAGE;
}

int flota_staging_clear(struct staging *staging) {
  if (staging->file < 0) return slot_staging_clear(&staging->in_slot);
  if (ftruncate(staging->file, 0) != 0) return OTA_ERR_STORAGE;
  return flota_staging_sync(staging);
}
