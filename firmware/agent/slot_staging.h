/**
 * @file
 * Staging in the slot that does not run: the image is downloaded to where it will boot from, so no other storage is needed. Beside the
 * agent, for ports: the staging_… callbacks of ota_port.h over flash that is erased by the sector. Portable, no allocation.
 *
 * Only whole sectors count after a reset: a sector that was begun may have to be erased to go on with it. How many there are is a mark
 * that the port keeps. Clearing forgets the mark and touches no flash, for the slot may have just been chosen for the next boot.
 */
#ifndef SLOT_STAGING_H
#define SLOT_STAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How far the slot at `place` is good. Stored by the port, whole or not at all. */
struct slot_staging_mark {
  uint32_t place; /**< Of struct slot_staging_flash. */
  uint32_t bytes; /**< Whole sectors. */
};

/** All return 0 or a negative ota_error. Offsets are within the slot. */
struct slot_staging_flash {
  void *ctx; /**< Given to each callback. */
  /** Tells this slot from the other (its address will do): a mark of the other counts for nothing. */
  uint32_t place;
  /** A multiple of sector_bytes. */
  uint32_t slot_bytes;
  uint32_t sector_bytes; /**< Smallest piece that can be erased. */
  /** One sector. */
  int (*erase)(void *ctx, uint32_t offset);
  /** One whole sector that has just been erased. */
  int (*write)(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes);
  /** Any piece of what was written. */
  int (*read)(void *ctx, uint32_t offset, uint8_t *data, size_t bytes);
  /** OTA_ERR_ABSENT when there is none. */
  int (*load_mark)(void *ctx, struct slot_staging_mark *mark);
  /** Whole or not at all, whenever the power goes. */
  int (*save_mark)(void *ctx, const struct slot_staging_mark *mark);
};

/** What is inside is the staging's own business; it is here so that its owner can declare one. */
struct slot_staging {
  /** @cond PRIVATE */
  struct slot_staging_flash flash;
  /** sector_bytes of the owner: the sector that begins at `sector_at`, of which `filled` bytes are known. */
  uint8_t *sector;
  uint32_t sector_at, filled;
  /** The buffer holds what the flash does not. */
  bool dirty;
  /** End of what was written in this life, or what the mark says. */
  uint32_t end;
  struct slot_staging_mark mark;
  /** @endcond */
};

/** `sector` has flash->sector_bytes bytes and stays with the staging. OTA_ERR_ARGUMENT, or what load_mark returns. */
int slot_staging_open(struct slot_staging *staging, const struct slot_staging_flash *flash, uint8_t *sector);

/** As staging_bytes of struct ota_port. */
uint32_t slot_staging_bytes(const struct slot_staging *staging);
/** As staging_write. */
int slot_staging_write(struct slot_staging *staging, uint32_t offset, const uint8_t *data, size_t bytes);
/** As staging_read. */
int slot_staging_read(struct slot_staging *staging, uint32_t offset, uint8_t *data, size_t bytes);
/** As staging_sync. */
int slot_staging_sync(struct slot_staging *staging);
/** As staging_clear. */
int slot_staging_clear(struct slot_staging *staging);

#endif
