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

uint64_t host_monotonic_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int64_t host_unix_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int telemetry(void *ctx, unsigned index, const char **topic, char *fields, size_t capacity) {
  struct host *host = ctx;
  struct statvfs disk;
  struct timespec cpu;
  switch (index) {
    case 0:
      *topic = "status/system";
      if (statvfs(host->options.dir, &disk) != 0) return OTA_ERR_ABSENT;
      (void)snprintf(fields, capacity, "\"uptimeMs\":%" PRIu64 ",\"freeStorageBytes\":%" PRIu64, host->port.uptime_ms(host),
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

static void pause_ms(uint32_t ms) {
  struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
  (void)nanosleep(&pause, NULL);
}

int main(int count, char **arguments) {
  static struct host host;
  host_read_options(&host.options, count, arguments);
  (void)signal(SIGINT, stop);
  (void)signal(SIGTERM, stop);
  (void)signal(SIGPIPE, SIG_IGN);
  (void)curl_global_init(CURL_GLOBAL_DEFAULT);
  if (host_enroll(&host) != OTA_OK) host_fail("no identity in %s: enroll first", host.options.dir);
  host_fill_life(&host);
  host.port.telemetry = telemetry;
  host_fill_digest(&host.port);
  host_fill_crypto(&host.port);
  host_fill_seal(&host.port);
  host_fill_identity(&host.port);
  host_fill_mqtt(&host.port);
  host_fill_http(&host.port);
  host_fill_slots(&host);
  host_fill_hold(&host);
  host_fill_crash(&host);
  while (!stopping) {
    if (host_mqtt_open(&host) != OTA_OK || host_http_open(&host) != OTA_OK) host_fail("out of memory");
    bool booted = host_live(&host, &stopping);
    host_mqtt_close(&host);
    host_http_close(&host);
    if (!stopping) pause_ms(booted ? host.options.reboot_ms : 1000);
  }
  free(host.memory);
  return 0;
}
