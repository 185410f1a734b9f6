#include "clock.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>

#include "esp_log.h"
#include "esp_netif_sntp.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "options.h"
#include "server_date.h"
#include "store.h"

enum { YEAR_2024_S = 1704067200, NTP_TIMEOUT_MS = 15000, KEEP_EVERY_S = 6 * 3600 };

static const char tag[] = "flota";
static const char blob[] = "clock";
static atomic_bool known;
static int64_t kept_s;

static int64_t now_s(void) {
  struct timeval now = {0};
  return gettimeofday(&now, NULL) == 0 ? (int64_t)now.tv_sec : 0;
}

static void set(int64_t s) {
  const struct timeval time = {.tv_sec = (time_t)s};
  (void)settimeofday(&time, NULL);
}

void flota_clock_begin(int64_t not_before_ms) {
  int64_t stored_s = 0;
  if (flota_store_get(blob, &stored_s, sizeof stored_s) != (int)sizeof stored_s) stored_s = 0;
  kept_s = stored_s;
  const int64_t floor_s = not_before_ms / 1000 > stored_s ? not_before_ms / 1000 : stored_s;
  /* The RTC goes on through a restart, and a program may have set it itself. */
  if (now_s() >= YEAR_2024_S && now_s() >= floor_s) atomic_store(&known, true);
  else if (floor_s >= YEAR_2024_S) set(floor_s);
}

static bool ask_ntp(const struct settings *settings) {
  const esp_sntp_config_t config = ESP_NETIF_SNTP_DEFAULT_CONFIG(settings->ntp);
  /* ESP_ERR_INVALID_STATE: started before, perhaps by the program itself. */
  const esp_err_t started = esp_netif_sntp_init(&config);
  if (started != ESP_OK && started != ESP_ERR_INVALID_STATE) return false;
  return esp_netif_sntp_sync_wait(pdMS_TO_TICKS(NTP_TIMEOUT_MS)) == ESP_OK;
}

bool flota_clock_ask(const struct settings *settings) {
  if (atomic_load(&known)) return true;
  if (ask_ntp(settings)) {
    atomic_store(&known, true);
    return true;
  }
#if CONFIG_FLOTA_TIME_FROM_SERVER
  const int64_t date_s = flota_server_date(settings);
  /* Never back behind what is known to be over: that would bring expired certificates to life. */
  if (date_s >= now_s() && date_s >= YEAR_2024_S) {
    set(date_s);
    ESP_LOGW(tag, "NTP (%s) does not answer: the time is the server's", settings->ntp);
    atomic_store(&known, true);
  }
#endif
  return atomic_load(&known);
}

int64_t flota_clock_unix_ms(void) {
  struct timeval now;
  if (!atomic_load(&known) || gettimeofday(&now, NULL) != 0) return -1;
  return (int64_t)now.tv_sec * 1000 + now.tv_usec / 1000;
}

void flota_clock_keep(void) {
  if (!atomic_load(&known)) return;
  const int64_t s = now_s();
  if (s - kept_s < KEEP_EVERY_S) return;
  kept_s = s;
  (void)flota_store_put(blob, &s, sizeof s);
}
