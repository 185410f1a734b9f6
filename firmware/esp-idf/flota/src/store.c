#include "store.h"

#include <stdbool.h>
#include <string.h>

#include "nvs.h"
#include "nvs_flash.h"
#include "ota_error.h"

static const char state_namespace[] = "flota";
static const char settings_namespace[] = "settings";

static const char main_partition[] = "nvs";
static const char keep_partition[] = "keep";
static bool has_keep_partition;

/* Never erased when it cannot be read: it holds the device's only key. A board without the partition `keep` keeps all in one. */
int flota_store_open(void) {
  has_keep_partition = nvs_flash_init_partition(keep_partition) == ESP_OK;
  return nvs_flash_init() == ESP_OK ? OTA_OK : OTA_ERR_STORAGE;
}

/* What must survive new settings of the factory, which overwrite the main partition whole. */
static const char *partition_of(const char *name) {
  return has_keep_partition && strncmp(name, "keep", 4) == 0 ? keep_partition : main_partition;
}

static int read_error(esp_err_t error) {
  if (error == ESP_OK) return OTA_OK;
  if (error == ESP_ERR_NVS_NOT_FOUND) return OTA_ERR_ABSENT;
  return error == ESP_ERR_NVS_INVALID_LENGTH ? OTA_ERR_SPACE : OTA_ERR_STORAGE;
}

int flota_store_get(const char *name, void *data, size_t capacity) {
  nvs_handle_t handle = 0;
  int error = read_error(nvs_open_from_partition(partition_of(name), state_namespace, NVS_READONLY, &handle));
  if (error) return error;
  size_t bytes = capacity;
  error = read_error(nvs_get_blob(handle, name, data, &bytes));
  nvs_close(handle);
  return error ? error : (int)bytes;
}

int flota_store_put(const char *name, const void *data, size_t bytes) {
  nvs_handle_t handle = 0;
  if (nvs_open_from_partition(partition_of(name), state_namespace, NVS_READWRITE, &handle) != ESP_OK) return OTA_ERR_STORAGE;
  esp_err_t error = nvs_set_blob(handle, name, data, bytes);
  if (error == ESP_OK) error = nvs_commit(handle);
  nvs_close(handle);
  return error == ESP_OK ? OTA_OK : OTA_ERR_STORAGE;
}

int flota_store_setting(const char *name, char *text, size_t capacity) {
  nvs_handle_t handle = 0;
  int error = read_error(nvs_open(settings_namespace, NVS_READONLY, &handle));
  if (error) return error;
  size_t bytes = capacity;
  error = read_error(nvs_get_str(handle, name, text, &bytes));
  nvs_close(handle);
  return error;
}
