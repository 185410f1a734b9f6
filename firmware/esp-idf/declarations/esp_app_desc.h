/* espressif/esp-idf v5.5.5, components/esp_app_format/include/esp_app_desc.h */
#pragma once
#include <stdint.h>
/* Members left out: all but these three. */
typedef struct {
  uint32_t secure_version;
  char version[32];
  uint8_t app_elf_sha256[32];
} esp_app_desc_t;
const esp_app_desc_t *esp_app_get_description(void);
