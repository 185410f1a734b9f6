/*
 * Where an image is staged: in the slot that does not run, or in a file that the program chose. A file that cannot be opened, such as
 * one on a dead card, is no reason to do without updates: the slot is used then.
 */
#ifndef STAGING_H
#define STAGING_H

#include "slot_staging.h"
#include "slots.h"

struct staging {
  int file; /* -1: in the slot */
  struct slots *slots;
  struct slot_staging in_slot;
};

/* `path` may be NULL. 0, OTA_ERR_SPACE or OTA_ERR_STORAGE. */
int flota_staging_open(struct staging *staging, struct slots *slots, const char *path);
bool flota_staging_is_in_slot(const struct staging *staging);

/* As the callbacks of struct ota_port. */
uint32_t flota_staging_bytes(const struct staging *staging);
int flota_staging_write(struct staging *staging, uint32_t offset, const uint8_t *data, size_t bytes);
int flota_staging_read(struct staging *staging, uint32_t offset, uint8_t *data, size_t bytes);
int flota_staging_sync(struct staging *staging);
int flota_staging_clear(struct staging *staging);

#endif
