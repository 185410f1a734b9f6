/* lvgl/lvgl v9.3.0: src/display/lv_display.h, src/core/lv_obj_{pos,style_gen}.h, src/widgets/{label,bar}, src/misc/lv_color.h, src/font/lv_font.h */
#pragma once
#include <stdint.h>
typedef struct _lv_obj_t lv_obj_t;
typedef struct _lv_display_t lv_display_t;
typedef struct _lv_font_t lv_font_t;
typedef struct {
  uint8_t blue;
  uint8_t green;
  uint8_t red;
} lv_color_t;
typedef uint32_t lv_style_selector_t;
typedef enum { LV_COLOR_FORMAT_RGB565 = 0x12 } lv_color_format_t;
typedef enum { LV_ALIGN_DEFAULT = 0, LV_ALIGN_TOP_LEFT } lv_align_t;
/* The type of LV_ANIM_OFF is a bool since v9.3. */
typedef _Bool lv_anim_enable_t;
#define LV_ANIM_OFF 0
extern const lv_font_t lv_font_montserrat_20, lv_font_montserrat_28;
lv_obj_t *lv_screen_active(void);
lv_obj_t *lv_label_create(lv_obj_t *parent);
void lv_label_set_text(lv_obj_t *obj, const char *text);
lv_obj_t *lv_bar_create(lv_obj_t *parent);
void lv_bar_set_range(lv_obj_t *obj, int32_t min, int32_t max);
void lv_bar_set_value(lv_obj_t *obj, int32_t value, lv_anim_enable_t anim);
void lv_obj_align(lv_obj_t *obj, lv_align_t align, int32_t x_ofs, int32_t y_ofs);
void lv_obj_set_size(lv_obj_t *obj, int32_t w, int32_t h);
void lv_obj_set_style_text_font(lv_obj_t *obj, const lv_font_t *value, lv_style_selector_t selector);
void lv_obj_set_style_text_color(lv_obj_t *obj, lv_color_t value, lv_style_selector_t selector);
void lv_obj_set_style_bg_color(lv_obj_t *obj, lv_color_t value, lv_style_selector_t selector);
lv_color_t lv_color_hex(uint32_t c);
