#include "report.h"

#include <stdio.h>
#include <string.h>

#include "esp_netif.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "esp_wifi.h"
#include "flota.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "ota_error.h"
#include "options.h"

enum { SENSORS_BYTES = 256 };

static char sensors[SENSORS_BYTES];
static portMUX_TYPE sensors_lock = portMUX_INITIALIZER_UNLOCKED;

esp_err_t flota_set_sensors(const char *members) {
  const size_t bytes = strnlen(members, SENSORS_BYTES);
  if (bytes == SENSORS_BYTES) return ESP_ERR_INVALID_SIZE;
  taskENTER_CRITICAL(&sensors_lock);
  memcpy(sensors, members, bytes + 1);
  taskEXIT_CRITICAL(&sensors_lock);
  return ESP_OK;
}

static int written(int n, size_t capacity) { return n > 0 && (size_t)n < capacity ? OTA_OK : OTA_ERR_SPACE; }

static int write_system(char *fields, size_t capacity) {
  return written(snprintf(fields, capacity, "\"uptimeMs\":%lld,\"freeHeapBytes\":%lu", (long long)(esp_timer_get_time() / 1000),
                          (unsigned long)esp_get_free_heap_size()),
                 capacity);
}

/* What is not known is left out; an answer other than OTA_OK would end the agent's round. */
static int write_network(struct mqtt *mqtt, char *fields, size_t capacity) {
  char address[16];
  char ip[32] = "";
  char signal[32] = "";
  esp_netif_ip_info_t info;
  esp_netif_t *netif = esp_netif_get_default_netif();
  if (netif && esp_netif_get_ip_info(netif, &info) == ESP_OK && esp_ip4addr_ntoa(&info.ip, address, sizeof address))
    (void)snprintf(ip, sizeof ip, "\"ip\":\"%s\",", address);
#if CONFIG_ESP_WIFI_ENABLED
  wifi_ap_record_t access_point;
  if (esp_wifi_sta_get_ap_info(&access_point) == ESP_OK) (void)snprintf(signal, sizeof signal, "\"rssiDbm\":%d,", (int)access_point.rssi);
#endif
  return written(snprintf(fields, capacity, "%s%s\"reconnects\":%u", ip, signal, atomic_load(&mqtt->reconnects)), capacity);
}

static int write_sensors(char *fields, size_t capacity) {
  char members[SENSORS_BYTES];
  taskENTER_CRITICAL(&sensors_lock);
  memcpy(members, sensors, sizeof members);
  taskEXIT_CRITICAL(&sensors_lock);
  if (members[0] == '\0') return OTA_ERR_ABSENT;
  return written(snprintf(fields, capacity, "\"values\":{%s}", members), capacity);
}

int flota_report_fields(struct mqtt *mqtt, unsigned index, const char **topic, char *fields, size_t capacity) {
  if (index == 0) {
    *topic = "status/system";
    return write_system(fields, capacity);
  }
  if (index == 1) {
    *topic = "status/network";
    return write_network(mqtt, fields, capacity);
  }
  if (index > 2) return OTA_ERR_ABSENT;
  *topic = "data/sensors";
  return write_sensors(fields, capacity);
}
