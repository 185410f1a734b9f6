/* espressif/esp-idf v5.5.5, components/bootloader_support/include/esp_image_format.h, esp_app_format.h */
#pragma once
#include "esp_err.h"
#include "esp_flash_partitions.h"
/* Values left out: all but these. */
typedef enum { ESP_CHIP_ID_ESP32 = 0x0000, ESP_CHIP_ID_INVALID = 0xFFFF } __attribute__((packed)) esp_chip_id_t;
#define ESP_IMAGE_HEADER_MAGIC 0xE9
typedef struct {
  uint8_t magic;
  uint8_t segment_count;
  uint8_t spi_mode;
  uint8_t spi_speed : 4;
  uint8_t spi_size : 4;
  uint32_t entry_addr;
  uint8_t wp_pin;
  uint8_t spi_pin_drv[3];
  esp_chip_id_t chip_id;
  uint8_t min_chip_rev;
  uint16_t min_chip_rev_full;
  uint16_t max_chip_rev_full;
  uint8_t reserved[4];
  uint8_t hash_appended;
} __attribute__((packed)) esp_image_header_t;
_Static_assert(sizeof(esp_image_header_t) == 24, "as asserted there");
/* Members left out: all but image_len. */
typedef struct {
  uint32_t image_len;
} esp_image_metadata_t;
esp_err_t esp_image_get_metadata(const esp_partition_pos_t *part, esp_image_metadata_t *metadata);
