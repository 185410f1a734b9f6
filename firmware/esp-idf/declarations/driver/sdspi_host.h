/* espressif/esp-idf v5.5.5, components/esp_driver_sdspi/include/driver/sdspi_host.h; sdmmc/include/sd_protocol_types.h */
#pragma once
#include "driver/gpio.h"
#include "driver/spi_common.h"
typedef struct sdmmc_card sdmmc_card_t;
/* A struct of driver callbacks there, filled by the macro. */
typedef struct {
  int slot;
} sdmmc_host_t;
typedef struct {
  spi_host_device_t host_id;
  gpio_num_t gpio_cs;
} sdspi_device_config_t;
#define SDSPI_DEFAULT_HOST SPI2_HOST
#define SDSPI_HOST_DEFAULT() {.slot = SDSPI_DEFAULT_HOST}
#define SDSPI_DEVICE_CONFIG_DEFAULT() {.host_id = SDSPI_DEFAULT_HOST}
