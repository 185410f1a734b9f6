#include "staging.h"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include "board.h"
#include "driver/sdspi_host.h"
#include "driver/spi_common.h"
#include "esp_vfs_fat.h"
#include "ota_error.h"

static const char mount_point[] = "/sd";
static const char path[] = "/sd/flota.img";

static esp_err_t mount_card(void) {
  const spi_bus_config_t bus = {.mosi_io_num = BOARD_SD_MOSI,
                                .miso_io_num = BOARD_SD_MISO,
                                .sclk_io_num = BOARD_SD_CLOCK,
                                .quadwp_io_num = -1,
                                .quadhd_io_num = -1};
  const esp_err_t error = spi_bus_initialize(SDSPI_DEFAULT_HOST, &bus, SPI_DMA_CH_AUTO);
  if (error != ESP_OK) return error;
  const sdmmc_host_t host = SDSPI_HOST_DEFAULT();
  sdspi_device_config_t device = SDSPI_DEVICE_CONFIG_DEFAULT();
  device.gpio_cs = BOARD_SD_SELECT;
  const esp_vfs_fat_mount_config_t options = {.format_if_mount_failed = false, .max_files = 2, .allocation_unit_size = 16384};
  sdmmc_card_t *card = NULL;
  return esp_vfs_fat_sdspi_mount(mount_point, &host, &device, &options, &card);
}

int staging_open(struct staging *staging) {
  staging->file = -1;
  if (mount_card() != ESP_OK) return OTA_ERR_STORAGE;
  staging->file = open(path, O_RDWR | O_CREAT, 0644);
  return staging->file >= 0 ? OTA_OK : OTA_ERR_STORAGE;
}

uint32_t staging_bytes(const struct staging *staging) {
  const off_t end = lseek(staging->file, 0, SEEK_END);
  return end > 0 ? (uint32_t)end : 0;
}

int staging_write(struct staging *staging, uint32_t offset, const uint8_t *data, size_t bytes) {
  if (lseek(staging->file, (off_t)offset, SEEK_SET) != (off_t)offset) return OTA_ERR_STORAGE;
  return write(staging->file, data, bytes) == (ssize_t)bytes ? OTA_OK : OTA_ERR_STORAGE;
}

int staging_read(struct staging *staging, uint32_t offset, uint8_t *data, size_t bytes) {
  if (lseek(staging->file, (off_t)offset, SEEK_SET) != (off_t)offset) return OTA_ERR_STORAGE;
  return read(staging->file, data, bytes) == (ssize_t)bytes ? OTA_OK : OTA_ERR_STORAGE;
}

int staging_sync(struct staging *staging) { return fsync(staging->file) == 0 ? OTA_OK : OTA_ERR_STORAGE; }

int staging_clear(struct staging *staging) {
  if (ftruncate(staging->file, 0) != 0) return OTA_ERR_STORAGE;
  return staging_sync(staging);
}

uint64_t staging_free_bytes(void) {
  uint64_t total = 0;
  uint64_t free_bytes = 0;
  return esp_vfs_fat_info(mount_point, &total, &free_bytes) == ESP_OK ? free_bytes : 0;
}
