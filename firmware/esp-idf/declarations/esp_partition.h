/* espressif/esp-idf v5.5.5, components/esp_partition/include/esp_partition.h */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "esp_err.h"
/* Values left out: all but this. */
typedef enum { ESP_PARTITION_TYPE_DATA = 0x01 } esp_partition_type_t;
/* Values left out: all but these two. */
typedef enum { ESP_PARTITION_SUBTYPE_APP_FACTORY = 0x00, ESP_PARTITION_SUBTYPE_DATA_COREDUMP = 0x03 } esp_partition_subtype_t;
/* Members left out: flash_chip, type, encrypted, readonly. */
typedef struct {
  esp_partition_subtype_t subtype;
  uint32_t address;
  uint32_t size;
  uint32_t erase_size;
  char label[17];
} esp_partition_t;
const esp_partition_t *esp_partition_find_first(esp_partition_type_t type, esp_partition_subtype_t subtype, const char *label);
esp_err_t esp_partition_read(const esp_partition_t *partition, size_t src_offset, void *dst, size_t size);
esp_err_t esp_partition_write(const esp_partition_t *partition, size_t dst_offset, const void *src, size_t size);
esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t offset, size_t size);
