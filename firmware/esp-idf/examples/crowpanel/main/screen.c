#include "screen.h"

#include <stdio.h>

#include "board.h"
#include "driver/gpio.h"
#include "esp_lcd_panel_ops.h"
#include "esp_lcd_panel_rgb.h"
#include "esp_lvgl_port.h"

enum { LOCK_MS = 100, BOUNCE_LINES = 10 };

static esp_err_t start_panel(esp_lcd_panel_handle_t *panel) {
  const esp_lcd_rgb_panel_config_t config = {
      .clk_src = LCD_CLK_SRC_DEFAULT,
      .timings = {.pclk_hz = BOARD_LCD_PIXEL_HZ,
                  .h_res = BOARD_LCD_WIDTH,
                  .v_res = BOARD_LCD_HEIGHT,
                  .hsync_pulse_width = 48,
                  .hsync_back_porch = 40,
                  .hsync_front_porch = 40,
                  .vsync_pulse_width = 31,
                  .vsync_back_porch = 13,
                  .vsync_front_porch = 1,
                  .flags = {.pclk_active_neg = 1}},
      .data_width = 16,
      .bits_per_pixel = 16,
      .num_fbs = 1,
      /* Through internal memory, so that writing flash or PSRAM does not tear the picture. */
      .bounce_buffer_size_px = BOARD_LCD_WIDTH * BOUNCE_LINES,
      .hsync_gpio_num = BOARD_LCD_HSYNC,
      .vsync_gpio_num = BOARD_LCD_VSYNC,
      .de_gpio_num = BOARD_LCD_ENABLE,
      .pclk_gpio_num = BOARD_LCD_CLOCK,
      .disp_gpio_num = -1,
      .data_gpio_nums = BOARD_LCD_DATA,
      .flags = {.fb_in_psram = 1},
  };
  esp_err_t error = esp_lcd_new_rgb_panel(&config, panel);
  if (error == ESP_OK) error = esp_lcd_panel_reset(*panel);
  if (error == ESP_OK) error = esp_lcd_panel_init(*panel);
  return error;
}

static bool start_lvgl(esp_lcd_panel_handle_t panel) {
  const lvgl_port_cfg_t task = ESP_LVGL_PORT_INIT_CONFIG();
  if (lvgl_port_init(&task) != ESP_OK) return false;
  const lvgl_port_display_cfg_t display = {.panel_handle = panel,
                                           .buffer_size = BOARD_LCD_WIDTH * 40,
                                           .hres = BOARD_LCD_WIDTH,
                                           .vres = BOARD_LCD_HEIGHT,
                                           .color_format = LV_COLOR_FORMAT_RGB565,
                                           .flags = {.buff_spiram = 1}};
  const lvgl_port_display_rgb_cfg_t rgb = {.flags = {.bb_mode = 1}};
  return lvgl_port_add_disp_rgb(&display, &rgb) != NULL;
}

static lv_obj_t *add_label(const lv_font_t *font, int32_t y) {
  lv_obj_t *label = lv_label_create(lv_screen_active());
  lv_obj_set_style_text_font(label, font, 0);
  lv_obj_set_style_text_color(label, lv_color_hex(0xE8ECF1), 0);
  lv_obj_align(label, LV_ALIGN_TOP_LEFT, 48, y);
  return label;
}

static void draw(struct screen *screen) {
  lv_obj_set_style_bg_color(lv_screen_active(), lv_color_hex(0x101820), 0);
  screen->title = add_label(&lv_font_montserrat_28, 56);
  screen->state = add_label(&lv_font_montserrat_28, 156);
  screen->progress = lv_bar_create(lv_screen_active());
  lv_obj_set_size(screen->progress, BOARD_LCD_WIDTH - 96, 24);
  lv_obj_align(screen->progress, LV_ALIGN_TOP_LEFT, 48, 224);
  lv_bar_set_range(screen->progress, 0, 1000);
  screen->detail = add_label(&lv_font_montserrat_20, 280);
}

esp_err_t screen_start(struct screen *screen) {
  esp_lcd_panel_handle_t panel = NULL;
  if (start_panel(&panel) != ESP_OK || !start_lvgl(panel) || !lvgl_port_lock(1000)) return ESP_FAIL;
  draw(screen);
  lvgl_port_unlock();
  const gpio_config_t backlight = {.pin_bit_mask = 1ULL << BOARD_LCD_BACKLIGHT, .mode = GPIO_MODE_OUTPUT};
  if (gpio_config(&backlight) != ESP_OK || gpio_set_level(BOARD_LCD_BACKLIGHT, 1) != ESP_OK) return ESP_FAIL;
  screen->on = true;
  return ESP_OK;
}

static const char *stage_text(const flota_status_t *status) {
  if (status->problem) return status->problem;
  if (status->on_trial) return "New version on trial";
  switch (status->stage) {
    case FLOTA_STARTING: return "Starting";
    case FLOTA_IDLE: return status->online ? "Up to date" : "Offline";
    case FLOTA_ACCEPTED: return "Update accepted";
    case FLOTA_DOWNLOADING: return status->online ? "Downloading" : "Downloading (offline)";
    case FLOTA_VERIFYING: return "Verifying";
    case FLOTA_INSTALLING: return "Installing";
    case FLOTA_RESTARTING: return "Restarting";
    default: return "";
  }
}

void screen_show(struct screen *screen, const flota_status_t *status) {
  if (!screen->on || !lvgl_port_lock(LOCK_MS)) return;
  char text[320];
  (void)snprintf(text, sizeof text, "%s    %s", status->id, status->running);
  lv_label_set_text(screen->title, text);
  if (status->deferred) (void)snprintf(text, sizeof text, "Waiting: %s", status->deferred);
  lv_label_set_text(screen->state, status->deferred ? text : stage_text(status));
  const uint64_t total = status->total_bytes;
  lv_bar_set_value(screen->progress, total > 0 ? (int32_t)(status->received_bytes * 1000ULL / total) : 0, LV_ANIM_OFF);
  text[0] = '\0';
  if (status->version)
    (void)snprintf(text, sizeof text, "%s %s    %lu of %lu KiB", status->component, status->version,
                   (unsigned long)(status->received_bytes / 1024), (unsigned long)(status->total_bytes / 1024));
  lv_label_set_text(screen->detail, text);
  lvgl_port_unlock();
}
