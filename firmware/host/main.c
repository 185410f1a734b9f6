/** flota-device: the agent on POSIX. A reboot is a new life of the agent in the same process; a kill is a power cut. */
#include <curl/curl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "host.h"

static volatile sig_atomic_t stopping;

static void stop(int signal) {
  (void)signal;
  stopping = 1;
}

static uint64_t monotonic_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t uptime_ms(void *ctx) { return monotonic_ms() - ((struct host *)ctx)->booted_at + 1; }

static int64_t unix_ms(void *ctx) {
  struct timespec now;
  (void)ctx;
  (void)clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum ota_boot_reason boot_reason(void *ctx) {
  (void)ctx;
  return OTA_BOOT_POWER_ON;
}

/** The loop in `live` sees that the agent has ended. */
static void reboot(void *ctx) { (void)ctx; }

void host_log(const struct host *host, enum ota_log_level level, const char *text) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  char buffer[1024];
  struct ota_text line;
  if (level < host->options.log) return;
  ota_text_begin(&line, buffer, sizeof buffer);
  ota_text_raw(&line, "{\"at\":");
  ota_text_time(&line, unix_ms(NULL));
  ota_text_member_string(&line, "level", names[level]);
  ota_text_member_string(&line, "device", host->options.id);
  ota_text_member_string(&line, "message", text);
  ota_text_raw(&line, "}");
  if (ota_text_end(&line) > 0) (void)puts(buffer);
  (void)fflush(stdout);
}

static void write_log(void *ctx, enum ota_log_level level, const char *text) { host_log(ctx, level, text); }

static int telemetry(void *ctx, unsigned index, const char **topic, char *fields, size_t capacity) {
  struct host *host = ctx;
  struct statvfs disk;
  struct timespec cpu;
  switch (index) {
    case 0:
      *topic = "status/system";
      if (statvfs(host->options.dir, &disk) != 0) return OTA_ERR_ABSENT;
      (void)snprintf(fields, capacity, "\"uptimeMs\":%" PRIu64 ",\"freeStorageBytes\":%" PRIu64, uptime_ms(host),
                     (uint64_t)disk.f_bavail * disk.f_frsize);
      return OTA_OK;
    case 1:
      *topic = "status/network";
      (void)snprintf(fields, capacity, "\"reconnects\":%u", host->reconnects > 0 ? host->reconnects - 1 : 0);
      return OTA_OK;
    case 2:
      *topic = "data/metrics";
      (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
      (void)snprintf(fields, capacity, "\"values\":{\"cpuSeconds\":%lld}", (long long)cpu.tv_sec);
      return OTA_OK;
    default:
      return OTA_ERR_ABSENT;
  }
}

static const struct ota_port rest = {
    .uptime_ms = uptime_ms,
    .unix_ms = unix_ms,
    .boot_reason = boot_reason,
    .reboot = reboot,
    .log = write_log,
    .telemetry = telemetry,
};

struct memory {
  struct ota_agent agent;
  char inbox[OTA_INBOX_MIN_BYTES];
  uint8_t work[64 * 1024];
  uint8_t journal[24 * 1024];
  char url[OTA_URL_MAX + 1];
};

/** From power-on to reboot or to the end of the process. False when storage could not be read. */
static bool live(struct host *host, struct memory *memory) {
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
                  .url = memory->url},
  };
  bool online = false;
  host->booted_at = monotonic_ms();
  int error = host_slots_boot(host);
  if (error == OTA_OK) error = ota_agent_init(&memory->agent, &config);
  if (error == OTA_ERR_ARGUMENT) host_fail("the limits contradict each other, or --component is no name of one");
  if (error != OTA_OK) {
    host_log(host, OTA_LOG_ERROR, "cannot boot: storage failed");
    return false;
  }
  host_log(host, OTA_LOG_INFO, "boot");
  while (!stopping && !ota_agent_ended(&memory->agent)) {
    uint32_t wait = ota_agent_poll(&memory->agent);
    struct ota_snapshot snapshot;
    ota_agent_snapshot(&memory->agent, &snapshot);
    if (snapshot.online != online) host_log(host, OTA_LOG_INFO, snapshot.online ? "online" : "offline");
    online = snapshot.online;
    if (wait > 0 && !ota_agent_ended(&memory->agent)) host_http_wait(host, wait);
  }
  if (stopping) (void)ota_agent_suspend(&memory->agent);
  return true;
}

static void pause_ms(uint32_t ms) {
  struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
  (void)nanosleep(&pause, NULL);
}

int main(int count, char **arguments) {
  static struct host host;
  struct memory *memory = malloc(sizeof *memory);
  if (!memory) host_fail("out of memory");
  host_read_options(&host.options, count, arguments);
  (void)signal(SIGINT, stop);
  (void)signal(SIGTERM, stop);
  (void)signal(SIGPIPE, SIG_IGN);
  (void)curl_global_init(CURL_GLOBAL_DEFAULT);
  if (host_enroll(&host) != OTA_OK) host_fail("no identity in %s: enroll first", host.options.dir);
  host.port = rest;
  host.port.ctx = &host;
  host_fill_crypto(&host.port);
  host_fill_identity(&host.port);
  host_fill_mqtt(&host.port);
  host_fill_http(&host.port);
  host_fill_slots(&host);
  host_fill_hold(&host);
  while (!stopping) {
    if (host_mqtt_open(&host) != OTA_OK || host_http_open(&host) != OTA_OK) host_fail("out of memory");
    bool booted = live(&host, memory);
    host_mqtt_close(&host);
    host_http_close(&host);
    if (!stopping) pause_ms(booted ? host.options.reboot_ms : 1000);
  }
  free(memory);
  return 0;
}
