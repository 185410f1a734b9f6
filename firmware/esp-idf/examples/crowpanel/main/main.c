/* Flota on the CrowPanel: its state on the screen, images staged on the SD card, and an Arduino Uno as a second component. */
#include "card.h"
#include "esp_log.h"
#include "flota.h"
#include "network.h"
#include "screen.h"
#include "sdkconfig.h"
#include "uno.h"

static const char tag[] = "crowpanel";

struct panel {
  struct screen screen;
  struct uno uno;
  bool has_uno;
};

/* The picture is what a new image can break here; card and network may fail without its fault. */
static esp_err_t self_test(void *context) {
  const struct panel *panel = context;
  return panel->screen.on ? ESP_OK : ESP_FAIL;
}

#if CONFIG_CROWPANEL_UNO
/* The panel is what commands the servo: it does not go away in the middle of a movement. The Uno's own updates ask the same. */
static uint32_t may_reboot(char *reason, size_t capacity, void *context) {
  struct panel *panel = context;
  if (!panel->has_uno) return FLOTA_NOW;
  return panel->uno.installer.may_install(panel->uno.installer.ctx, reason, capacity);
}
#endif

static void on_status(const flota_status_t *status, void *context) {
  struct panel *panel = context;
  screen_show(&panel->screen, status);
#if CONFIG_CROWPANEL_UNO
  if (panel->has_uno) uno_poll(&panel->uno);
#endif
}

void app_main(void) {
  static struct panel panel;
  flota_config_t config = {.self_test = self_test, .on_status = on_status, .context = &panel};
  if (screen_start(&panel.screen) != ESP_OK) ESP_LOGE(tag, "no picture");
  const esp_err_t network = network_start();
  if (network != ESP_OK) ESP_LOGE(tag, "no Wi-Fi: %s", network == ESP_ERR_NOT_FOUND ? "setting wifi_ssid missing" : esp_err_to_name(network));
  config.staging_file = card_staging_file();
  if (!config.staging_file) ESP_LOGW(tag, "no SD card (FAT32) that can be read: images are staged in the slot");
#if CONFIG_CROWPANEL_UNO
  config.child = uno_start(&panel.uno);
  config.may_reboot = may_reboot;
  panel.has_uno = config.child != NULL;
  if (!panel.has_uno) ESP_LOGE(tag, "the Uno's serial line does not start");
#endif
  /* What is wrong is on the screen, by on_status, and in the log. */
  (void)flota_start(&config);
}
