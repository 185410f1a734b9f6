/* espressif/esp-idf v5.5.5, components/bootloader_support/include/esp_image_format.h */
#pragma once
#include "esp_err.h"
#include "esp_flash_partitions.h"
/* Members left out: all but image_len. */
typedef struct {
  uint32_t image_len;
} esp_image_metadata_t;
esp_err_t esp_image_get_metadata(const esp_partition_pos_t *part, esp_image_metadata_t *metadata);
