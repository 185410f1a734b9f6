#include "start_guard.h"

#include "options.h"

#if CONFIG_BOOTLOADER_WDT_DISABLE_IN_USER_CODE
#include "hal/wdt_hal.h"

void flota_start_guard_end(void) {
  wdt_hal_context_t rtc = RWDT_HAL_CONTEXT_DEFAULT();
  wdt_hal_write_protect_disable(&rtc);
  wdt_hal_disable(&rtc);
  wdt_hal_write_protect_enable(&rtc);
}
#else
void flota_start_guard_end(void) {}
#endif
