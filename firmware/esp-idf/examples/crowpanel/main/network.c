#include "network.h"

#include <string.h>

#include "esp_event.h"
#include "esp_netif.h"
#include "esp_wifi.h"
#include "flota.h"

static void on_event(void *context, esp_event_base_t base, int32_t id, void *data) {
  (void)context;
  (void)data;
  if (base == WIFI_EVENT && (id == WIFI_EVENT_STA_START || id == WIFI_EVENT_STA_DISCONNECTED)) (void)esp_wifi_connect();
}

static esp_err_t start_station(void) {
  char ssid[33];
  char password[65] = "";
  esp_err_t error = flota_setting("wifi_ssid", ssid, sizeof ssid);
  if (error != ESP_OK) return error;
  (void)flota_setting("wifi_password", password, sizeof password);
  wifi_config_t config = {0};
  /* 32 bytes without a terminator are a whole SSID. */
  memcpy(config.sta.ssid, ssid, strnlen(ssid, sizeof config.sta.ssid));
  memcpy(config.sta.password, password, strnlen(password, sizeof config.sta.password));
  const wifi_init_config_t init = WIFI_INIT_CONFIG_DEFAULT();
  error = esp_wifi_init(&init);
  if (error == ESP_OK) error = esp_wifi_set_mode(WIFI_MODE_STA);
  if (error == ESP_OK) error = esp_wifi_set_config(WIFI_IF_STA, &config);
  return error == ESP_OK ? esp_wifi_start() : error;
}

esp_err_t network_start(void) {
  esp_err_t error = esp_netif_init();
  if (error == ESP_OK) error = esp_event_loop_create_default();
  if (error != ESP_OK) return error;
  if (!esp_netif_create_default_wifi_sta()) return ESP_ERR_NO_MEM;
  error = esp_event_handler_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_event, NULL);
  return error == ESP_OK ? start_station() : error;
}
