/** Everything a device says that nobody waits for: progress, telemetry and log. Lost when there is no connection. */
#ifndef OTA_REPORTER_H
#define OTA_REPORTER_H

#include "ota_state.h"

struct ota_agent;

struct ota_reporter {
  uint64_t progress_at;
  uint32_t progress_bytes;
  uint32_t bytes_per_second;
  enum ota_stage stage;
  uint64_t attempt;
};

/** At most one per progress_ms, except when the stage changes or a fresh URL is asked for. */
void ota_report_progress(struct ota_agent *agent, bool url_expired);
void ota_report_telemetry(struct ota_agent *agent);
/** status/health as plain telemetry: the answer to the command `report`. */
void ota_report_health(struct ota_agent *agent);

/** `"running":[…],"hardware":…`. */
void ota_write_identity(struct ota_agent *agent, struct ota_text *text);
/** Members of status/health: `,"state":"ok","running":[…],"hardware":…`. */
void ota_write_health(struct ota_agent *agent, struct ota_text *text);
/** `"component":…,"version":…,"securityVersion":…,"sha256":…`, in braces. */
void ota_write_running(struct ota_agent *agent, struct ota_text *text, enum ota_component component);

#endif
