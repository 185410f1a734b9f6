/* espressif/esp-idf v5.5.5, components/esp_lcd/rgb/include/esp_lcd_panel_rgb.h */
#pragma once
#include <stddef.h>
#include "esp_lcd_panel_ops.h"
typedef enum { LCD_CLK_SRC_DEFAULT = 4 } lcd_clock_source_t;
typedef struct {
  uint32_t pclk_hz;
  uint32_t h_res;
  uint32_t v_res;
  uint32_t hsync_pulse_width;
  uint32_t hsync_back_porch;
  uint32_t hsync_front_porch;
  uint32_t vsync_pulse_width;
  uint32_t vsync_back_porch;
  uint32_t vsync_front_porch;
  struct {
    uint32_t pclk_active_neg : 1;
  } flags;
} esp_lcd_rgb_timing_t;
/* Members left out: those that the sources do not set. data_gpio_nums has SOC_LCDCAM_RGB_DATA_WIDTH = 16 elements on the ESP32-S3. */
typedef struct {
  lcd_clock_source_t clk_src;
  esp_lcd_rgb_timing_t timings;
  size_t data_width;
  size_t bits_per_pixel;
  size_t num_fbs;
  size_t bounce_buffer_size_px;
  int hsync_gpio_num;
  int vsync_gpio_num;
  int de_gpio_num;
  int pclk_gpio_num;
  int disp_gpio_num;
  int data_gpio_nums[16];
  struct {
    uint32_t fb_in_psram : 1;
  } flags;
} esp_lcd_rgb_panel_config_t;
esp_err_t esp_lcd_new_rgb_panel(const esp_lcd_rgb_panel_config_t *rgb_panel_config, esp_lcd_panel_handle_t *ret_panel);
