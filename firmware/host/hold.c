#include <stdlib.h>
#include <string.h>

#include "host.h"

/** The file's first line: a number for how many milliseconds, if it begins with one, and why. */
static uint32_t ask(const char *path, char *reason, size_t capacity) {
  char line[256] = "";
  FILE *file = path ? fopen(path, "rb") : NULL;
  if (!file) return OTA_NOW;
  // Not fgets: picolibc's drops a line that has no end.
  line[fread(line, 1, sizeof line - 1, file)] = '\0';
  (void)fclose(file);
  line[strcspn(line, "\n")] = '\0';
  char *why = line;
  unsigned long wait_ms = strtoul(line, &why, 10);
  bool dated = why > line && *why == ' ' && wait_ms < OTA_NO;
  ota_text_copy(reason, capacity, dated ? why + 1 : line);
  return dated ? (uint32_t)wait_ms : OTA_NO;
}

static uint32_t may_install(void *ctx, char *reason, size_t capacity) {
  return ask(((const struct host *)ctx)->options.hold_install, reason, capacity);
}

static uint32_t may_reboot(void *ctx, char *reason, size_t capacity) {
  return ask(((const struct host *)ctx)->options.hold_reboot, reason, capacity);
}

void host_fill_hold(struct host *host) {
  host->main.may_install = may_install;
  host->main.may_reboot = may_reboot;
}
