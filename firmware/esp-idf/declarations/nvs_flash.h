/* espressif/esp-idf v5.5.5, components/nvs_flash/include/nvs_flash.h */
#pragma once
#include "esp_err.h"
esp_err_t nvs_flash_init(void);
esp_err_t nvs_flash_init_partition(const char *partition_label);
