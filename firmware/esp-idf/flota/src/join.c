#include "join.h"

#include "clock.h"
#include "enrolment.h"
#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

enum { STACK_BYTES = 8192, PRIORITY = 3, RETRY_MIN_MS = 5000, RETRY_MAX_MS = 5 * 60 * 1000 };

static const char *why(int error) {
  switch (error) {
    case OTA_ERR_NETWORK: return "Asking for a certificate: the server does not answer";
    case OTA_ERR_CERTIFICATE: return "Enrolment refused: is the token fresh, and for this device?";
    case OTA_ERR_SPACE: return "Enrolment: out of memory";
    default: return "Enrolment: the identity cannot be stored";
  }
}

static bool enrol(struct join *join) {
  if (atomic_load(&join->enrolled)) return true;
  const int error = flota_enrolment_run(join->identity, join->settings);
  atomic_store(&join->problem, error ? why(error) : NULL);
  if (error) ESP_LOGW("flota", "%s (%s)", why(error), join->settings->enroll_url);
  else atomic_store(&join->enrolled, true);
  return !error;
}

static void run(void *context) {
  struct join *join = context;
  for (uint32_t pause_ms = RETRY_MIN_MS;; pause_ms = pause_ms < RETRY_MAX_MS / 2 ? pause_ms * 2 : RETRY_MAX_MS) {
    const bool timed = flota_clock_ask(join->settings);
    /* Even without: a server whose certificate is younger than the clock refuses nobody but itself, and asking costs nothing. */
    if (enrol(join) && timed) break;
    vTaskDelay(pdMS_TO_TICKS(pause_ms));
  }
  vTaskDelete(NULL);
}

int flota_join_start(struct join *join, struct identity *identity, const struct settings *settings) {
  join->identity = identity;
  join->settings = settings;
  const bool enrolled = flota_identity_enrolled(identity);
  atomic_store(&join->enrolled, enrolled);
  atomic_store(&join->problem, enrolled ? NULL : "Waiting for the network and the time");
  return xTaskCreatePinnedToCore(run, "flota_join", STACK_BYTES, join, PRIORITY, NULL, tskNO_AFFINITY) == pdPASS ? OTA_OK : OTA_ERR_SPACE;
}
