/* Blobs in the settings subsystem: it writes the new one before it forgets the old one. */
#include <stdio.h>
#include <zephyr/settings/settings.h>

#include "flota_zephyr.h"

struct wanted {
  void *data;
  size_t capacity;
  int result;
};

static int take(const char *key, size_t bytes, settings_read_cb read, void *context, void *param) {
  struct wanted *wanted = param;
  /* The subtree is the name itself; a longer key is another blob. */
  if (key && key[0] != '\0') return 0;
  if (bytes > wanted->capacity) wanted->result = OTA_ERR_SPACE;
  else wanted->result = read(context, wanted->data, bytes) == (ssize_t)bytes ? (int)bytes : OTA_ERR_STORAGE;
  return 1;
}

int flota_zephyr_get(const char *name, void *data, size_t capacity) {
  char path[32];
  struct wanted wanted = {data, capacity, OTA_ERR_ABSENT};
  (void)snprintf(path, sizeof path, "flota/%s", name);
  const int error = settings_load_subtree_direct(path, take, &wanted);
  if (error < 0) return OTA_ERR_STORAGE;
  return wanted.result;
}

int flota_zephyr_put(const char *name, const void *data, size_t bytes) {
  char path[32];
  (void)snprintf(path, sizeof path, "flota/%s", name);
  return settings_save_one(path, data, bytes) == 0 ? OTA_OK : OTA_ERR_STORAGE;
}
