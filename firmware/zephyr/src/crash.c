/* A fatal error is noted in RAM that a restart does not clear, and kept by the next start until it is told. */
#include "module.h"

#ifdef CONFIG_FLOTA_CRASHES

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <zephyr/fatal.h>
#include <zephyr/kernel.h>
#include <zephyr/linker/section_tags.h>
#include <zephyr/logging/log_ctrl.h>
#include <zephyr/sys/reboot.h>

#include "ota_crc.h"
#include "ota_pace.h"

#ifdef FLOTA_CRASH_REGION
#define KEPT Z_GENERIC_SECTION(FLOTA_CRASH_REGION)
#else
#define KEPT __noinit
#endif

static const char crash_record[] = "crash";

struct note {
  uint8_t image[OTA_SHA256_BYTES];
  uint64_t pc, caller;
  uint32_t reason;
  char task[sizeof ((struct ota_crash *)0)->task];
  uint32_t crc;
};

/* After power-on, and where the boot loader has used this RAM, it is no note: its checksum says so. */
static struct note note KEPT;
/* Null as long as it is not known what runs. */
static const uint8_t *expected;

static uint32_t sum(const struct note *it) { return ota_crc32((const uint8_t *)it, offsetof(struct note, crc)); }

static void find_place(const struct arch_esf *esf) {
  if (!esf) return;
#if defined(CONFIG_CPU_CORTEX_M)
  enum { THUMB = 1 };
  note.pc = esf->basic.pc;
  /* Else it is how an exception returns. */
  if (esf->basic.lr < 0xf0000000u) note.caller = (esf->basic.lr & ~(uint32_t)THUMB) - 1;
#elif defined(CONFIG_RISCV)
  note.pc = esf->mepc;
  if (esf->ra > 0) note.caller = esf->ra - 1;
#endif
}

void flota_zephyr_note_crash(unsigned int reason, const struct arch_esf *esf) {
  memset(&note, 0, sizeof note);
  note.reason = reason;
  if (expected) memcpy(note.image, expected, sizeof note.image);
  find_place(esf);
  const char *task = k_thread_name_get(k_current_get());
  for (size_t i = 0; task && task[i] != '\0' && i + 1 < sizeof note.task; i++) note.task[i] = task[i];
  note.crc = sum(&note);
}

#ifdef CONFIG_FLOTA_CRASH_HANDLER
void k_sys_fatal_error_handler(unsigned int reason, const struct arch_esf *esf) {
  flota_zephyr_note_crash(reason, esf);
  LOG_PANIC();
  sys_reboot(SYS_REBOOT_WARM);
}
#endif

void flota_zephyr_expect_crash(const uint8_t digest[OTA_SHA256_BYTES]) { expected = digest; }

static void name_reason(char *text, size_t capacity, uint32_t reason) {
  static const char *const names[] = {[K_ERR_CPU_EXCEPTION] = "CPU exception",
                                      [K_ERR_SPURIOUS_IRQ] = "spurious interrupt",
                                      [K_ERR_STACK_CHK_FAIL] = "stack overflow",
                                      [K_ERR_KERNEL_OOPS] = "kernel oops",
                                      [K_ERR_KERNEL_PANIC] = "kernel panic"};
  if (reason < sizeof names / sizeof names[0]) (void)snprintf(text, capacity, "%s", names[reason]);
  else (void)snprintf(text, capacity, "CPU exception (reason %u)", (unsigned)reason);
}

static void describe(struct ota_crash *crash, const struct note *it, const char *id) {
  *crash = (struct ota_crash){.pc = it->pc, .depth = it->caller > 0 ? 2 : 1, .backtrace = {it->pc, it->caller}};
  (void)snprintf(crash->id, sizeof crash->id, "%s", id);
  memcpy(crash->task, it->task, sizeof crash->task);
  for (size_t i = 0; i < sizeof it->image; i++) (void)snprintf(crash->elf + 2 * i, 3, "%02x", it->image[i]);
  name_reason(crash->reason, sizeof crash->reason, it->reason);
}

/* From RAM into flash: the next crash may come before this one is told, and would be another. */
static void keep_note(const struct flota_zephyr *zephyr) {
  struct ota_crash crash;
  char id[OTA_RANDOM_ID_CHARS + 1];
  const struct note it = note;
  if (it.crc != sum(&it)) return;
  if (ota_random_id(zephyr->port, id) != OTA_OK) return;
  describe(&crash, &it, id);
  if (flota_zephyr_put(crash_record, &crash, sizeof crash) == OTA_OK) note.crc = ~it.crc;
}

void flota_zephyr_take_crash(struct flota_zephyr *zephyr) {
  keep_note(zephyr);
  /* One of another size is of another version of this module, or forgotten. */
  zephyr->crashed = flota_zephyr_get(crash_record, &zephyr->crash, sizeof zephyr->crash) == (int)sizeof zephyr->crash;
}

void flota_zephyr_health(void *ctx, struct ota_text *text) {
  const struct flota_zephyr *zephyr = ctx;
  if (zephyr->crashed) ota_crash_write(&zephyr->crash, text);
}

void flota_zephyr_poll(struct flota_zephyr *zephyr, struct ota_agent *agent) {
  if (!zephyr->crashed || !ota_crash_poll(&zephyr->crash, agent)) return;
  /* An empty blob is one that is deleted (settings_delete). */
  zephyr->crashed = flota_zephyr_put(crash_record, NULL, 0) != OTA_OK;
}

#endif
