/* espressif/esp-idf v5.5.5, components/esp_netif/include/esp_netif.h, esp_netif_types.h, esp_netif_ip_addr.h; esp_wifi_default.h */
#pragma once
#include "esp_event.h"
typedef struct esp_netif_obj esp_netif_t;
typedef struct {
  uint32_t addr;
} esp_ip4_addr_t;
typedef struct {
  esp_ip4_addr_t ip;
  esp_ip4_addr_t netmask;
  esp_ip4_addr_t gw;
} esp_netif_ip_info_t;
esp_err_t esp_netif_init(void);
esp_err_t esp_netif_get_ip_info(esp_netif_t *esp_netif, esp_netif_ip_info_t *ip_info);
esp_netif_t *esp_netif_get_default_netif(void);
char *esp_ip4addr_ntoa(const esp_ip4_addr_t *addr, char *buf, int buflen);
esp_netif_t *esp_netif_create_default_wifi_sta(void);
