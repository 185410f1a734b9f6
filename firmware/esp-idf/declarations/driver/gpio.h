/* espressif/esp-idf v5.5.5, components/esp_driver_gpio/include/driver/gpio.h; hal/include/hal/gpio_types.h */
#pragma once
#include "esp_err.h"
/* An enum there; C converts. */
typedef int gpio_num_t;
typedef enum { GPIO_MODE_OUTPUT = 2, GPIO_MODE_OUTPUT_OD = 6 } gpio_mode_t;
/* Members left out: pull_up_en, pull_down_en, intr_type. */
typedef struct {
  uint64_t pin_bit_mask;
  gpio_mode_t mode;
} gpio_config_t;
esp_err_t gpio_config(const gpio_config_t *pGPIOConfig);
esp_err_t gpio_set_level(gpio_num_t gpio_num, uint32_t level);
