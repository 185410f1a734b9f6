/* espressif/esp-idf v5.5.5, components/hal/include/hal/wdt_hal.h (v6.0.2: components/esp_hal_wdt/include/hal/wdt_hal.h) */
#pragma once
/* A pointer to the registers and the instance there, filled by the macro. */
typedef struct {
  int inst;
} wdt_hal_context_t;
#define RWDT_HAL_CONTEXT_DEFAULT() {.inst = 2}
void wdt_hal_write_protect_enable(wdt_hal_context_t *hal);
void wdt_hal_write_protect_disable(wdt_hal_context_t *hal);
void wdt_hal_disable(wdt_hal_context_t *hal);
