/* espressif/esp-idf v5.5.5, components/esp_partition/include/esp_partition.h */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "esp_err.h"
/* Members left out: flash_chip, type, subtype, encrypted, readonly. */
typedef struct {
  uint32_t address;
  uint32_t size;
  uint32_t erase_size;
  char label[17];
} esp_partition_t;
esp_err_t esp_partition_read(const esp_partition_t *partition, size_t src_offset, void *dst, size_t size);
