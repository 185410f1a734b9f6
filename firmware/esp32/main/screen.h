/* The panel: state, progress and version by LVGL. Only this file knows of LVGL; its task is esp_lvgl_port's. */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdbool.h>

#include "lvgl.h"
#include "ota_agent.h"

struct screen {
  bool on;
  lv_obj_t *title, *state, *progress, *detail;
};

/* 0, or OTA_ERR_INSTALL: no picture, which fails the self-test of a new image. */
int screen_start(struct screen *screen);
/* One line, before there is an agent to show. */
void screen_say(struct screen *screen, const char *text);
void screen_show(struct screen *screen, const char *id, const struct ota_snapshot *snapshot);

#endif
