/* espressif/esp-idf v5.5.5, components/esp_netif/include/esp_netif_sntp.h */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "esp_netif.h"
#include "freertos/FreeRTOS.h"
#include "sdkconfig.h"
/* Members left out: smooth_sync, server_from_dhcp, sync_cb, renew_servers_after_new_IP, ip_event_to_renew, index_of_first_server. */
typedef struct esp_sntp_config {
  bool wait_for_sync;
  bool start;
  size_t num_of_servers;
  const char *servers[CONFIG_LWIP_SNTP_MAX_SERVERS];
} esp_sntp_config_t;
#define ESP_NETIF_SNTP_DEFAULT_CONFIG(server) {.wait_for_sync = true, .start = true, .num_of_servers = 1, .servers = {server}}
esp_err_t esp_netif_sntp_init(const esp_sntp_config_t *config);
esp_err_t esp_netif_sntp_sync_wait(TickType_t tout);
