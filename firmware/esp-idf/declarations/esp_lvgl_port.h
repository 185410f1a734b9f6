/* espressif/esp-bsp, components/esp_lvgl_port 2.8.0, include/esp_lvgl_port.h and esp_lvgl_port_disp.h */
#pragma once
#include <stdbool.h>
#include "esp_heap_caps.h"
#include "esp_lcd_panel_ops.h"
#include "lvgl.h"
typedef struct {
  int task_priority;
  int task_stack;
  int task_affinity;
  int task_max_sleep_ms;
  unsigned task_stack_caps;
  int timer_period_ms;
} lvgl_port_cfg_t;
/* The values are the header's own. */
#define ESP_LVGL_PORT_INIT_CONFIG()                                                                                          \
  {.task_priority = 4, .task_stack = 7168, .task_affinity = -1, .task_max_sleep_ms = 500, .timer_period_ms = 5,             \
   .task_stack_caps = MALLOC_CAP_INTERNAL | MALLOC_CAP_DEFAULT}
/* Members left out: those that the sources do not set. */
typedef struct {
  esp_lcd_panel_handle_t panel_handle;
  uint32_t buffer_size;
  uint32_t hres;
  uint32_t vres;
  lv_color_format_t color_format;
  struct {
    unsigned int buff_spiram : 1;
  } flags;
} lvgl_port_display_cfg_t;
typedef struct {
  struct {
    unsigned int bb_mode : 1;
  } flags;
} lvgl_port_display_rgb_cfg_t;
esp_err_t lvgl_port_init(const lvgl_port_cfg_t *cfg);
bool lvgl_port_lock(uint32_t timeout_ms);
void lvgl_port_unlock(void);
lv_display_t *lvgl_port_add_disp_rgb(const lvgl_port_display_cfg_t *disp_cfg, const lvgl_port_display_rgb_cfg_t *rgb_cfg);
