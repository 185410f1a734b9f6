#include "report.h"

#include <stdio.h>

#include "esp_heap_caps.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "ota_error.h"
#include "staging.h"

static int written(int n, size_t capacity) { return n > 0 && (size_t)n < capacity ? OTA_OK : OTA_ERR_SPACE; }

static int write_system(char *fields, size_t capacity) {
  return written(snprintf(fields, capacity, "\"uptimeMs\":%lld,\"freeHeapBytes\":%lu,\"freeStorageBytes\":%llu",
                          (long long)(esp_timer_get_time() / 1000), (unsigned long)esp_get_free_heap_size(),
                          (unsigned long long)staging_free_bytes()),
                 capacity);
}

/* What is not known is left out; an answer other than OTA_OK would end the agent's round. */
static int write_network(struct report *report, char *fields, size_t capacity) {
  char address[16] = "";
  char known[64] = "";
  int rssi_dbm = 0;
  if (network_signal(&rssi_dbm) && network_address(report->network, address, sizeof address)) {
    (void)snprintf(known, sizeof known, "\"rssiDbm\":%d,\"ip\":\"%s\",", rssi_dbm, address);
  }
  return written(snprintf(fields, capacity, "%s\"reconnects\":%u", known, atomic_load(&report->mqtt->reconnects)), capacity);
}

static int write_sensors(const struct report *report, char *fields, size_t capacity) {
  const int32_t tenths = report->uno->temperature_tenths;
  const char *sign = tenths < 0 ? "-" : "";
  const unsigned long size = (unsigned long)(tenths < 0 ? -tenths : tenths);
  return written(snprintf(fields, capacity, "\"values\":{\"temperatureC\":%s%lu.%lu}", sign, size / 10, size % 10), capacity);
}

int report_fields(struct report *report, unsigned index, const char **topic, char *fields, size_t capacity) {
  if (index == 0) {
    *topic = "status/system";
    return write_system(fields, capacity);
  }
  if (index == 1) {
    *topic = "status/network";
    return write_network(report, fields, capacity);
  }
  if (index == 2 && report->uno && report->uno->has_temperature) {
    *topic = "data/sensors";
    return write_sensors(report, fields, capacity);
  }
  return OTA_ERR_ABSENT;
}
