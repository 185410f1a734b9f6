/* The panel: state, progress and version by LVGL. Only this file knows of LVGL; its task is esp_lvgl_port's. */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdbool.h>

#include "esp_err.h"
#include "flota.h"
#include "lvgl.h"

struct screen {
  bool on;
  lv_obj_t *title, *state, *progress, *detail;
};

/* ESP_FAIL: no picture, which fails the self-test of a new image. */
esp_err_t screen_start(struct screen *screen);
void screen_show(struct screen *screen, const flota_status_t *status);

#endif
