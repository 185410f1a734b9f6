/**
 * A fault of the processor (ARMv7-M Architecture Reference Manual, B1.5 and B3.2.15): it is noted where a reset clears nothing, the machine is
 * reset, and its next start makes a record of it.
 */
#include <semihost.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../agent/ota_crc.h"
#include "board.h"

#define SCB_CFSR (*(volatile uint32_t *)0xE000ED28)

enum { block_bytes = 16384 };

/** Of the board's SRAM, which this program uses for nothing else (application note AN385, table 3-1). What is there after power-on is no note. */
struct note {
  uint32_t pc, lr, cfsr, exception, crc;
};
static volatile struct note *const note = (struct note *)0x20000000;

/** What the processor has stored: r0 to r3, r12, lr, pc, xpsr. */
enum { frame_lr = 5, frame_pc = 6, frame_words = 8 };

extern char __data_start[], __stack[], __text_end[];

static uint32_t sum(const struct note *it) { return ota_crc32((const uint8_t *)it, offsetof(struct note, crc)); }

/** The stack may be what is wrong: a frame that is not in it is not read. */
static bool is_on_stack(uintptr_t frame) {
  return frame % sizeof(uint32_t) == 0 && frame >= (uintptr_t)__data_start && frame <= (uintptr_t)__stack - frame_words * sizeof(uint32_t);
}

__attribute__((used, noreturn)) static void note_fault(const uint32_t *frame, uint32_t exception) {
  struct note it = {.cfsr = SCB_CFSR, .exception = exception};
  if (is_on_stack((uintptr_t)frame)) {
    it.pc = frame[frame_pc];
    it.lr = frame[frame_lr];
  }
  it.crc = sum(&it);
  *note = it;
  board_reset();
}

__attribute__((used)) static uint64_t own_stack[128];

__attribute__((naked)) void board_on_fault(void) {
  __asm volatile(
      "mrs r0, msp\n"
      "mrs r1, ipsr\n"
      "ldr r2, =own_stack + %c0\n"
      "msr msp, r2\n"
      "b note_fault\n"
      :
      : "i"(sizeof own_stack));
}

/** By the lowest bit of CFSR that is set. */
static const struct {
  uint8_t bit;
  const char *name;
} causes[] = {{0, "instruction access violation"},
              {1, "data access violation"},
              {3, "unstacking access violation"},
              {4, "stacking access violation"},
              {8, "instruction bus error"},
              {9, "precise data bus error"},
              {10, "imprecise data bus error"},
              {11, "unstacking bus error"},
              {12, "stacking bus error"},
              {16, "undefined instruction"},
              {17, "invalid state"},
              {18, "invalid return"},
              {19, "no coprocessor"},
              {24, "unaligned access"},
              {25, "division by zero"}};

static void tell_reason(char *reason, size_t capacity, const struct note *it) {
  const char *name = "exception";
  for (size_t i = sizeof causes / sizeof causes[0]; i-- > 0;)
    if (it->cfsr >> causes[i].bit & 1) name = causes[i].name;
  (void)snprintf(reason, capacity, "%s (exception %lu, CFSR 0x%08lx)", name, (unsigned long)it->exception, (unsigned long)it->cfsr);
}

/** Where it was, and where that was called from: without frame pointers nobody walks this stack here. */
static void tell_frames(struct ota_crash *crash, const struct note *it) {
  enum { thumb = 1 };
  crash->pc = it->pc;
  crash->backtrace[crash->depth++] = it->pc;
  // Else it is how an exception returns, or another's register.
  if (it->lr & thumb && it->lr < (uintptr_t)__text_end) crash->backtrace[crash->depth++] = (it->lr & ~(uint32_t)thumb) - 1;
}

/** It would be noted again otherwise. */
static void forget(void) { note->crc = ~note->crc; }

void host_catch_crashes(struct host *host) {
  struct host_crash_record record;
  struct note it = *note;
  if (it.crc != sum(&it)) return;
  if (host_prepare_crash(host, &record) == OTA_OK) {
    tell_reason(record.crash.reason, sizeof record.crash.reason, &it);
    tell_frames(&record.crash, &it);
    if (host_replace_file(host, host_crash_file, &record, sizeof record) != OTA_OK) return;
  }
  forget();
}

int host_measure_program(uint8_t digest[OTA_SHA256_BYTES]) {
  int file = sys_semihost_open(board_elf, SH_OPEN_R_B);
  if (file < 0) return OTA_ERR_STORAGE;
  uint8_t *block = malloc(block_bytes);
  void *hash = host_hash_new();
  int error = block && hash ? OTA_OK : OTA_ERR_SPACE;
  for (size_t left = sys_semihost_flen(file); left > 0 && error == OTA_OK;) {
    size_t bytes = left < block_bytes ? left : block_bytes;
    error = sys_semihost_read(file, block, bytes) == 0 ? host_hash_update(hash, block, bytes) : OTA_ERR_STORAGE;
    left -= bytes;
  }
  if (hash && host_hash_end(hash, digest) != OTA_OK) error = OTA_ERR_STORAGE;
  free(block);
  (void)sys_semihost_close(file);
  return error;
}

void host_crash(void) { __builtin_trap(); }
