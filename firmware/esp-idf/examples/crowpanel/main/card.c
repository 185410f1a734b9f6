#include "card.h"

#include <stddef.h>

#include "board.h"
#include "driver/sdspi_host.h"
#include "driver/spi_common.h"
#include "esp_vfs_fat.h"

static const char mount_point[] = "/sd";
static const char file[] = "/sd/flota.img";

const char *card_staging_file(void) {
  const spi_bus_config_t bus = {.mosi_io_num = BOARD_SD_MOSI,
                                .miso_io_num = BOARD_SD_MISO,
                                .sclk_io_num = BOARD_SD_CLOCK,
                                .quadwp_io_num = -1,
                                .quadhd_io_num = -1};
  if (spi_bus_initialize(SDSPI_DEFAULT_HOST, &bus, SPI_DMA_CH_AUTO) != ESP_OK) return NULL;
  const sdmmc_host_t host = SDSPI_HOST_DEFAULT();
  sdspi_device_config_t device = SDSPI_DEVICE_CONFIG_DEFAULT();
  device.gpio_cs = BOARD_SD_SELECT;
  const esp_vfs_fat_mount_config_t options = {.format_if_mount_failed = false, .max_files = 2, .allocation_unit_size = 16384};
  sdmmc_card_t *card = NULL;
  return esp_vfs_fat_sdspi_mount(mount_point, &host, &device, &options, &card) == ESP_OK ? file : NULL;
}
