#include "network.h"

#include <stdio.h>
#include <string.h>

#include "esp_event.h"
#include "esp_netif_sntp.h"
#include "esp_wifi.h"
#include "freertos/FreeRTOS.h"
#include "ota_error.h"

static void on_event(void *context, esp_event_base_t base, int32_t id, void *data) {
  (void)data;
  struct network *network = context;
  if (base == WIFI_EVENT && id == WIFI_EVENT_STA_START) (void)esp_wifi_connect();
  if (base == WIFI_EVENT && id == WIFI_EVENT_STA_DISCONNECTED) {
    atomic_store(&network->online, false);
    (void)esp_wifi_connect();
  }
  if (base == IP_EVENT && id == IP_EVENT_STA_GOT_IP) atomic_store(&network->online, true);
}

static esp_err_t start_station(const struct settings *settings) {
  const wifi_init_config_t init = WIFI_INIT_CONFIG_DEFAULT();
  esp_err_t error = esp_wifi_init(&init);
  wifi_config_t config = {0};
  /* 32 bytes without a terminator are a whole SSID. */
  memcpy(config.sta.ssid, settings->wifi_ssid, strnlen(settings->wifi_ssid, sizeof config.sta.ssid));
  memcpy(config.sta.password, settings->wifi_password, strnlen(settings->wifi_password, sizeof config.sta.password));
  if (error == ESP_OK) error = esp_wifi_set_mode(WIFI_MODE_STA);
  if (error == ESP_OK) error = esp_wifi_set_config(WIFI_IF_STA, &config);
  if (error == ESP_OK) error = esp_wifi_start();
  return error;
}

int network_start(struct network *network, const struct settings *settings) {
  esp_err_t error = esp_netif_init();
  if (error == ESP_OK) error = esp_event_loop_create_default();
  if (error != ESP_OK) return OTA_ERR_NETWORK;
  network->station = esp_netif_create_default_wifi_sta();
  error = esp_event_handler_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_event, network);
  if (error == ESP_OK) error = esp_event_handler_register(IP_EVENT, IP_EVENT_STA_GOT_IP, on_event, network);
  if (error == ESP_OK) error = start_station(settings);
  return network->station && error == ESP_OK ? OTA_OK : OTA_ERR_NETWORK;
}

bool network_await_time(const struct settings *settings, uint32_t timeout_ms) {
  const esp_sntp_config_t config = ESP_NETIF_SNTP_DEFAULT_CONFIG(settings->ntp);
  /* ESP_ERR_INVALID_STATE: started by an earlier call, which is fine. */
  const esp_err_t started = esp_netif_sntp_init(&config);
  if (started != ESP_OK && started != ESP_ERR_INVALID_STATE) return false;
  return esp_netif_sntp_sync_wait(pdMS_TO_TICKS(timeout_ms)) == ESP_OK;
}

bool network_signal(int *rssi_dbm) {
  wifi_ap_record_t access_point;
  if (esp_wifi_sta_get_ap_info(&access_point) != ESP_OK) return false;
  *rssi_dbm = (int)access_point.rssi;
  return true;
}

bool network_address(const struct network *network, char *text, size_t capacity) {
  esp_netif_ip_info_t info;
  if (!atomic_load(&network->online) || esp_netif_get_ip_info(network->station, &info) != ESP_OK) return false;
  return esp_ip4addr_ntoa(&info.ip, text, (int)capacity) != NULL;
}
