/* Wi-Fi and Flota: all that a program needs to be updated over the air. */
#include <string.h>

#include "esp_event.h"
#include "esp_log.h"
#include "esp_netif.h"
#include "esp_wifi.h"
#include "flota.h"

static const char tag[] = "minimal";

static void on_wifi(void *context, esp_event_base_t base, int32_t id, void *data) {
  (void)context;
  (void)base;
  (void)data;
  if (id == WIFI_EVENT_STA_START || id == WIFI_EVENT_STA_DISCONNECTED) (void)esp_wifi_connect();
}

/* Name and password are in the settings, beside Flota's own. */
static esp_err_t start_wifi(void) {
  char ssid[33];
  char password[65] = "";
  const wifi_init_config_t init = WIFI_INIT_CONFIG_DEFAULT();
  wifi_config_t config = {0};
  ESP_ERROR_CHECK(esp_netif_init());
  ESP_ERROR_CHECK(esp_event_loop_create_default());
  if (!esp_netif_create_default_wifi_sta()) return ESP_ERR_NO_MEM;
  const esp_err_t missing = flota_setting("wifi_ssid", ssid, sizeof ssid);
  if (missing != ESP_OK) return missing;
  (void)flota_setting("wifi_password", password, sizeof password);
  /* 32 bytes without a terminator are a whole name. */
  memcpy(config.sta.ssid, ssid, strnlen(ssid, sizeof config.sta.ssid));
  memcpy(config.sta.password, password, strnlen(password, sizeof config.sta.password));
  ESP_ERROR_CHECK(esp_wifi_init(&init));
  ESP_ERROR_CHECK(esp_event_handler_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_wifi, NULL));
  ESP_ERROR_CHECK(esp_wifi_set_mode(WIFI_MODE_STA));
  ESP_ERROR_CHECK(esp_wifi_set_config(WIFI_IF_STA, &config));
  return esp_wifi_start();
}

/* Optional: what a new image has to show before it is kept. Reaching the broker is asked of it anyway. */
static esp_err_t self_test(void *context) {
  (void)context;
  return ESP_OK;
}

/* Optional: for an LED or a screen. */
static void on_status(const flota_status_t *status, void *context) {
  static flota_stage_t told = FLOTA_RESTARTING;
  (void)context;
  if (status->stage == told) return;
  told = status->stage;
  ESP_LOGI(tag, "%s %s: stage %d%s%s", status->id, status->running, (int)status->stage, status->problem ? ", " : "",
           status->problem ? status->problem : "");
}

void app_main(void) {
  /* A Wi-Fi that does not start is no reason to stop: on trial, Flota then goes back to the old image. */
  ESP_ERROR_CHECK_WITHOUT_ABORT(start_wifi());
  ESP_ERROR_CHECK_WITHOUT_ABORT(flota_start(&(flota_config_t){.self_test = self_test, .on_status = on_status}));
}
