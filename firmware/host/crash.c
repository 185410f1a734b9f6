/** A crash of this program is told by its next start, as a core dump would let it. */
#include <string.h>

#include "host.h"

const char *const host_crash_file = "crash.bin";
static const char magic[8] = "crash 1";

int host_prepare_crash(struct host *host, struct host_crash_record *record) {
  static const char digits[] = "0123456789abcdef";
  uint8_t digest[OTA_SHA256_BYTES];
  char id[OTA_RANDOM_ID_CHARS + 1];
  *record = (struct host_crash_record){0};
  if (ota_random_id(&host->port, id) != OTA_OK || host_measure_program(digest) != OTA_OK) return OTA_ERR_STORAGE;
  for (size_t i = 0; i < sizeof digest; i++) {
    record->crash.elf[2 * i] = digits[digest[i] >> 4];
    record->crash.elf[2 * i + 1] = digits[digest[i] & 15];
  }
  memcpy(record->magic, magic, sizeof magic);
  memcpy(record->crash.id, id, sizeof id);
  return OTA_OK;
}

static void health(void *ctx, struct ota_text *text) {
  const struct host *host = ctx;
  if (host->crashed) ota_crash_write(&host->crash, text);
}

static enum ota_boot_reason boot_reason(void *ctx) {
  return ((const struct host *)ctx)->crashed ? OTA_BOOT_WATCHDOG : OTA_BOOT_POWER_ON;
}

static void polled(struct host *host, struct ota_agent *agent) {
  if (host->crashed && ota_crash_poll(&host->crash, agent)) host->crashed = host_remove_file(host, host_crash_file) != OTA_OK;
}

void host_fill_crash(struct host *host) {
  struct host_crash_record last;
  host->port.health = health;
  host->port.boot_reason = boot_reason;
  host->polled = polled;
  host_catch_crashes(host);
  host->crashed = host_read_file(host, host_crash_file, &last, sizeof last) == (int)sizeof last &&
                  memcmp(last.magic, magic, sizeof magic) == 0;
  if (host->crashed) host->crash = last.crash;
}
