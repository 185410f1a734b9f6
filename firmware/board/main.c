/** flota-device on a bare board. The file that the emulator names holds what runs and its options, one a line. A reboot is one of the machine. */
#include <stdlib.h>
#include <string.h>

#include "board.h"

enum { arguments_max = 64 };

const char *board_elf;

static int telemetry(void *ctx, unsigned index, const char **topic, char *fields, size_t capacity) {
  struct host *host = ctx;
  if (index > 1) return OTA_ERR_ABSENT;
  *topic = index == 0 ? "status/system" : "status/network";
  if (index == 0) (void)snprintf(fields, capacity, "\"uptimeMs\":%lu", (unsigned long)host->port.uptime_ms(host));
  else (void)snprintf(fields, capacity, "\"reconnects\":%u", host->reconnects > 0 ? host->reconnects - 1 : 0);
  return OTA_OK;
}

/** The agent polls its connections; whatever comes in wakes the processor. */
void host_wait(struct host *host, uint32_t most_ms) {
  (void)host;
  (void)most_ms;
  board_sleep();
}

static int split_lines(char *text, char **arguments) {
  int count = 0;
  for (char *line = strtok(text, "\n"); line && count < arguments_max; line = strtok(NULL, "\n"))
    arguments[count++] = line;
  arguments[count] = NULL;
  return count;
}

int main(int count, char **names) {
  static struct host host;
  static const volatile sig_atomic_t never = 0;
  static char *arguments[arguments_max + 1];
  board_start_clock();
  char *text = count > 0 ? board_read_text(names[count - 1]) : NULL;
  if (!text) host_fail("the emulator names no file with what runs, and one option of flota-device a line");
  int lines = split_lines(text, arguments);
  board_elf = arguments[0];
  host_read_options(&host.options, lines, arguments);
  if (host.options.mqtt5) host_fail("this board speaks MQTT 3.1.1 only");
  board_start_crypto();
  board_start_network();
  if (host_mqtt_open(&host) != OTA_OK || host_http_open(&host) != OTA_OK) host_fail("out of memory");
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
  bool booted = host_live(&host, &never);
  uint64_t since = host_monotonic_ms();
  while (host_monotonic_ms() - since < (booted ? host.options.reboot_ms : 1000)) board_sleep();
  host_mqtt_close(&host);
  host_http_close(&host);
  board_reset();
}
