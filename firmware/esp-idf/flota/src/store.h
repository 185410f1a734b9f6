/* Small blobs in NVS, each replaced whole: NVS writes the new one before it forgets the old one. */
#ifndef STORE_H
#define STORE_H

#include <stddef.h>
#include <stdint.h>

/* 0, or OTA_ERR_STORAGE. */
int flota_store_open(void);
/* Bytes read, OTA_ERR_ABSENT, OTA_ERR_SPACE (larger than capacity) or OTA_ERR_STORAGE. Names have at most 15 characters;
 * `keep` and what begins with it is kept apart from what a settings image overwrites. */
int flota_store_get(const char *name, void *data, size_t capacity);
/* 0 or OTA_ERR_STORAGE. */
int flota_store_put(const char *name, const void *data, size_t bytes);
/* A text of the factory's settings (namespace "settings"), NUL-terminated. 0, OTA_ERR_ABSENT, OTA_ERR_SPACE or OTA_ERR_STORAGE. */
int flota_store_setting(const char *name, char *text, size_t capacity);

#endif
