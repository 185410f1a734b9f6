/* espressif/esp-idf v5.5.5, components/esp_driver_spi/include/driver/spi_common.h; hal/include/hal/spi_types.h */
#pragma once
#include "esp_err.h"
typedef enum { SPI1_HOST = 0, SPI2_HOST = 1 } spi_host_device_t;
typedef enum { SPI_DMA_DISABLED = 0, SPI_DMA_CH_AUTO = 3 } spi_dma_chan_t;
/* Members left out: those that the sources do not set. Some are in anonymous unions there. */
typedef struct {
  int mosi_io_num;
  int miso_io_num;
  int sclk_io_num;
  int quadwp_io_num;
  int quadhd_io_num;
} spi_bus_config_t;
esp_err_t spi_bus_initialize(spi_host_device_t host_id, const spi_bus_config_t *bus_config, spi_dma_chan_t dma_chan);
