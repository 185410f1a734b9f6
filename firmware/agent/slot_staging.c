#include "slot_staging.h"

#include <string.h>

#include "ota_error.h"

static bool is_flash_complete(const struct slot_staging_flash *flash) {
  return flash->erase && flash->write && flash->read && flash->load_mark && flash->save_mark && flash->sector_bytes > 0 &&
         flash->slot_bytes > 0 && flash->slot_bytes % flash->sector_bytes == 0;
}

static uint32_t sector_of(const struct slot_staging *staging, uint32_t offset) {
  return offset - offset % staging->flash.sector_bytes;
}

int slot_staging_open(struct slot_staging *staging, const struct slot_staging_flash *flash, uint8_t *sector) {
  if (!is_flash_complete(flash) || !sector) return OTA_ERR_ARGUMENT;
  *staging = (struct slot_staging){.flash = *flash, .sector = sector};
  struct slot_staging_mark mark;
  const int error = flash->load_mark(flash->ctx, &mark);
  if (error != OTA_OK && error != OTA_ERR_ABSENT) return error;
  staging->mark = (struct slot_staging_mark){.place = flash->place};
  if (error == OTA_OK && mark.place == flash->place && mark.bytes <= flash->slot_bytes) staging->mark.bytes = mark.bytes;
  staging->end = sector_of(staging, staging->mark.bytes);
  return OTA_OK;
}

uint32_t slot_staging_bytes(const struct slot_staging *staging) { return staging->end; }

/** Before a sector is erased that a mark vouches for, and after sectors have become good. */
static int move_mark(struct slot_staging *staging, uint32_t bytes) {
  if (staging->mark.bytes == bytes) return OTA_OK;
  staging->mark.bytes = bytes;
  return staging->flash.save_mark(staging->flash.ctx, &staging->mark);
}

static int flush(struct slot_staging *staging) {
  const struct slot_staging_flash *flash = &staging->flash;
  if (!staging->dirty) return OTA_OK;
  int error = OTA_OK;
  if (staging->mark.bytes > staging->sector_at) error = move_mark(staging, staging->sector_at);
  memset(staging->sector + staging->filled, 0xff, flash->sector_bytes - staging->filled);
  if (error == OTA_OK) error = flash->erase(flash->ctx, staging->sector_at);
  if (error == OTA_OK) error = flash->write(flash->ctx, staging->sector_at, staging->sector, flash->sector_bytes);
  staging->dirty = error != OTA_OK;
  return error;
}

/** Makes the buffer that of the sector around `offset`, with what comes before it. */
static int turn_to(struct slot_staging *staging, uint32_t offset) {
  const struct slot_staging_flash *flash = &staging->flash;
  const uint32_t at = sector_of(staging, offset);
  const uint32_t before = offset - at;
  if (staging->filled > 0 && staging->sector_at == at && before <= staging->filled) return OTA_OK;
  int error = flush(staging);
  staging->filled = 0;
  if (error == OTA_OK && before > 0) error = flash->read(flash->ctx, at, staging->sector, before);
  staging->sector_at = at;
  return error;
}

int slot_staging_write(struct slot_staging *staging, uint32_t offset, const uint8_t *data, size_t bytes) {
  if (offset > staging->flash.slot_bytes || bytes > staging->flash.slot_bytes - offset) return OTA_ERR_SPACE;
  for (size_t done = 0; done < bytes;) {
    int error = turn_to(staging, offset);
    if (error != OTA_OK) return error;
    const uint32_t from = offset - staging->sector_at;
    const size_t room = staging->flash.sector_bytes - from;
    const size_t part = bytes - done < room ? bytes - done : room;
    memcpy(staging->sector + from, data + done, part);
    staging->filled = from + (uint32_t)part;
    staging->dirty = true;
    if (staging->filled == staging->flash.sector_bytes) error = flush(staging);
    if (error != OTA_OK) return error;
    done += part;
    offset += (uint32_t)part;
    staging->end = offset;
  }
  return OTA_OK;
}

int slot_staging_read(struct slot_staging *staging, uint32_t offset, uint8_t *data, size_t bytes) {
  if (offset > staging->flash.slot_bytes || bytes > staging->flash.slot_bytes - offset) return OTA_ERR_SPACE;
  const int error = flush(staging);
  return error == OTA_OK ? staging->flash.read(staging->flash.ctx, offset, data, bytes) : error;
}

int slot_staging_sync(struct slot_staging *staging) {
  const int error = flush(staging);
  return error == OTA_OK ? move_mark(staging, sector_of(staging, staging->end)) : error;
}

int slot_staging_clear(struct slot_staging *staging) {
  staging->dirty = false;
  staging->filled = 0;
  staging->end = 0;
  return move_mark(staging, 0);
}
