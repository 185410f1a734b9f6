#include "crash.h"

#include <string.h>

#include "ota_life.h"

/** For what follows in a boot report. */
enum { spare_bytes = 96 };

static const char digits[] = "0123456789abcdef";

/** A core dump may hold anything, and a report that is not UTF-8 would be lost. */
static void write_printable(struct ota_text *text, const char *name, const char *value, size_t most) {
  char copy[OTA_CRASH_REASON_MAX + 1];
  size_t bytes = 0;
  for (; bytes < most && value[bytes] != '\0'; bytes++) {
    copy[bytes] = value[bytes];
    if (copy[bytes] < ' ' || copy[bytes] > '~') copy[bytes] = '?';
  }
  copy[bytes] = '\0';
  ota_text_member_string(text, name, copy);
}

static void write_address(struct ota_text *text, uint64_t address) {
  char hex[] = "\"0x0123456789abcdef\"";
  size_t at = sizeof hex - 2;
  do {
    hex[--at] = digits[address & 15];
    address >>= 4;
  } while (address > 0);
  hex[--at] = 'x';
  hex[--at] = '0';
  hex[--at] = '"';
  ota_text_raw(text, hex + at);
}

static bool is_hex(const char *text) {
  size_t bytes = 0;
  while (text[bytes] != '\0' && strchr(digits, text[bytes])) bytes++;
  return text[bytes] == '\0' && bytes >= 8;
}

void ota_crash_write(const struct ota_crash *crash, struct ota_text *text) {
  struct ota_text before = *text;
  if (!ota_is_id(crash->id) || !is_hex(crash->elf)) return;
  ota_text_raw(text, ",\"crash\":{\"id\":");
  ota_text_string(text, crash->id);
  write_printable(text, "reason", crash->reason[0] != '\0' ? crash->reason : "unknown", OTA_CRASH_REASON_MAX);
  if (crash->task[0] != '\0') write_printable(text, "task", crash->task, sizeof crash->task - 1);
  ota_text_member_string(text, "elf", crash->elf);
  ota_text_raw(text, ",\"pc\":");
  write_address(text, crash->pc);
  ota_text_raw(text, ",\"backtrace\":[");
  for (unsigned i = 0; i < crash->depth && i < OTA_CRASH_FRAMES; i++) {
    if (i > 0) ota_text_raw(text, ",");
    write_address(text, crash->backtrace[i]);
  }
  ota_text_raw(text, crash->corrupted ? "],\"corrupted\":true}" : "]}");
  if (text->overflow || text->capacity - text->bytes < spare_bytes) *text = before;
}

bool ota_crash_poll(struct ota_crash *crash, struct ota_agent *agent) {
  if (agent->ended) return false;
  // Settled: the journal holds it.
  if (!agent->on_trial) return true;
  bool online = agent->session.state == OTA_ONLINE;
  if (online && !crash->told) ota_report_health(agent);
  crash->told = online;
  return false;
}
