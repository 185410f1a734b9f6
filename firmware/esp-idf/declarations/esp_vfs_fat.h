/* espressif/esp-idf v5.5.5, components/fatfs/vfs/esp_vfs_fat.h */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "driver/sdspi_host.h"
#include "esp_err.h"
/* Members left out: disk_status_check_enable, use_one_fat. */
typedef struct {
  bool format_if_mount_failed;
  int max_files;
  size_t allocation_unit_size;
} esp_vfs_fat_mount_config_t;
esp_err_t esp_vfs_fat_sdspi_mount(const char *base_path, const sdmmc_host_t *host_config_input, const sdspi_device_config_t *slot_config,
                                  const esp_vfs_fat_mount_config_t *mount_config, sdmmc_card_t **out_card);
