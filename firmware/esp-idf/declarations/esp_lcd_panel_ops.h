/* espressif/esp-idf v5.5.5, components/esp_lcd/include/esp_lcd_panel_ops.h and esp_lcd_types.h */
#pragma once
#include "esp_err.h"
typedef struct esp_lcd_panel_t *esp_lcd_panel_handle_t;
esp_err_t esp_lcd_panel_reset(esp_lcd_panel_handle_t panel);
esp_err_t esp_lcd_panel_init(esp_lcd_panel_handle_t panel);
