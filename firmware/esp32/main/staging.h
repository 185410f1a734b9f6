/* The staging area: one file on the SD card (FAT over SPI). */
#ifndef STAGING_H
#define STAGING_H

#include <stddef.h>
#include <stdint.h>

struct staging {
  int file; /* -1: not mounted */
};

/* Mounts the card and opens the file. 0 or OTA_ERR_STORAGE. A card that cannot be read is not formatted. */
int staging_open(struct staging *staging);
uint32_t staging_bytes(const struct staging *staging);
int staging_write(struct staging *staging, uint32_t offset, const uint8_t *data, size_t bytes);
int staging_read(struct staging *staging, uint32_t offset, uint8_t *data, size_t bytes);
int staging_sync(struct staging *staging);
int staging_clear(struct staging *staging);
/* Bytes free on the card, 0 when unknown. */
uint64_t staging_free_bytes(void);

#endif
