/* Wi-Fi station and the time, without which no certificate can be judged. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esp_netif.h"
#include "settings.h"

struct network {
  esp_netif_t *station;
  atomic_bool online;
};

/* Starts to connect, and goes on for ever by itself. 0 or OTA_ERR_NETWORK. */
int network_start(struct network *network, const struct settings *settings);
/* Waits until NTP has set the clock, at most timeout_ms: true when it is set. */
bool network_await_time(const struct settings *settings, uint32_t timeout_ms);
/* False while there is no connection. */
bool network_signal(int *rssi_dbm);
bool network_address(const struct network *network, char *text, size_t capacity);

#endif
