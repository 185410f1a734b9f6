/** The agent's life on any machine that has files: from power-on to reboot. */
#include <stdlib.h>

#include "../agent/delta.h"
#include "../agent/seal.h"
#include "host.h"

struct host_memory {
  struct ota_agent agent;
  char inbox[OTA_INBOX_MIN_BYTES];
  uint8_t work[64 * 1024];
  uint8_t journal[24 * 1024];
  char url[OTA_URL_MAX + 1];
  struct ota_delta delta;
  struct ota_seal seal;
};

static uint64_t uptime_ms(void *ctx) { return host_monotonic_ms() - ((struct host *)ctx)->booted_at + 1; }

static int64_t unix_ms(void *ctx) {
  (void)ctx;
  return host_unix_ms();
}

static enum ota_boot_reason boot_reason(void *ctx) {
  (void)ctx;
  return OTA_BOOT_POWER_ON;
}

/** The loop in `host_live` sees that the agent has ended. */
static void reboot(void *ctx) { (void)ctx; }

void host_log(const struct host *host, enum ota_log_level level, const char *text) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  char buffer[1024];
  struct ota_text line;
  if (level < host->options.log) return;
  ota_text_begin(&line, buffer, sizeof buffer);
  ota_text_raw(&line, "{\"at\":");
  ota_text_time(&line, host_unix_ms());
  ota_text_member_string(&line, "level", names[level]);
  ota_text_member_string(&line, "device", host->options.id);
  ota_text_member_string(&line, "message", text);
  ota_text_raw(&line, "}");
  if (ota_text_end(&line) > 0) (void)puts(buffer);
  (void)fflush(stdout);
}

static void write_log(void *ctx, enum ota_log_level level, const char *text) { host_log(ctx, level, text); }

void host_fill_life(struct host *host) {
  host->port = (struct ota_port){
      .ctx = host,
      .uptime_ms = uptime_ms,
      .unix_ms = unix_ms,
      .boot_reason = boot_reason,
      .reboot = reboot,
      .log = write_log,
  };
  host->memory = malloc(sizeof *host->memory);
  if (!host->memory) host_fail("out of memory");
}

bool host_live(struct host *host, const volatile sig_atomic_t *stopping) {
  struct host_memory *memory = host->memory;
  const struct host_options *options = &host->options;
  struct ota_config config = {
      .port = &host->port,
      .main = &host->main,
      .keys = options->keys,
      .key_count = options->key_count,
      .timing = options->timing,
      .limits = options->limits,
      .buffers = {.inbox = memory->inbox,
                  .inbox_bytes = sizeof memory->inbox,
                  .work = memory->work,
                  .work_bytes = sizeof memory->work,
                  .journal = memory->journal,
                  .journal_bytes = sizeof memory->journal,
                  .url = memory->url,
                  .delta = &memory->delta,
                  .seal = &memory->seal},
  };
  bool online = false;
  uint64_t crash_at = UINT64_MAX;
  host->booted_at = host_monotonic_ms();
  int error = host_slots_boot(host);
  if (error == OTA_OK) error = ota_agent_init(&memory->agent, &config);
  if (error == OTA_ERR_ARGUMENT) host_fail("the limits contradict each other, or --component is no name of one");
  if (error != OTA_OK) {
    host_log(host, OTA_LOG_ERROR, "cannot boot: storage failed");
    return false;
  }
  host_log(host, OTA_LOG_INFO, "boot");
  crash_at = host_crash_after_ms(host);
  while (!*stopping && !ota_agent_ended(&memory->agent)) {
    uint32_t wait = ota_agent_poll(&memory->agent);
    if (host->polled) host->polled(host, &memory->agent);
    struct ota_snapshot snapshot;
    ota_agent_snapshot(&memory->agent, &snapshot);
    if (snapshot.online != online) host_log(host, OTA_LOG_INFO, snapshot.online ? "online" : "offline");
    online = snapshot.online;
    uint64_t now = host_monotonic_ms() - host->booted_at;
    if (now >= crash_at) host_crash();
    if (crash_at - now < wait) wait = (uint32_t)(crash_at - now);
    if (wait > 0 && !ota_agent_ended(&memory->agent)) host_wait(host, wait);
  }
  if (*stopping) (void)ota_agent_suspend(&memory->agent);
  return true;
}
