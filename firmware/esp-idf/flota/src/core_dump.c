#include "core_dump.h"

#include "options.h"

/* Of ESP-IDF 6 there is no other format. */
#if CONFIG_ESP_COREDUMP_ENABLE_TO_FLASH && !CONFIG_ESP_COREDUMP_DATA_FORMAT_BIN

#include <stdio.h>
#include <string.h>

#include "esp_app_desc.h"
#include "esp_core_dump.h"
#include "esp_heap_caps.h"
#include "esp_ota_ops.h"
#include "esp_partition.h"

enum { ID_BYTES = 16 };

static void write_hex(char *text, const uint8_t *data, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) (void)snprintf(text + 2 * i, 3, "%02x", data[i]);
}

/* A dump ends with its checksum: no two crashes have the same, and the same dump is the same crash. */
static bool read_id(char *id) {
  uint8_t end[ID_BYTES];
  size_t address = 0;
  size_t bytes = 0;
  const esp_partition_t *partition = esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_COREDUMP, NULL);
  if (!partition || esp_core_dump_image_get(&address, &bytes) != ESP_OK || bytes < sizeof end) return false;
  if (esp_partition_read(partition, address - partition->address + bytes - sizeof end, end, sizeof end) != ESP_OK) return false;
  write_hex(id, end, sizeof end);
  return true;
}

/* The summary knows the beginning of the SHA-256, as many digits as CONFIG_APP_RETRIEVE_LEN_ELF_SHA says; an image knows all of its own. */
static bool complete(char *elf, const esp_app_desc_t *image) {
  char whole[2 * sizeof image->app_elf_sha256 + 1];
  write_hex(whole, image->app_elf_sha256, sizeof image->app_elf_sha256);
  if (strncmp(whole, elf, strlen(elf)) != 0) return false;
  memcpy(elf, whole, sizeof whole);
  return true;
}

static void name_elf(char *elf, const esp_core_dump_summary_t *summary) {
  esp_app_desc_t other;
  const esp_partition_t *slot = esp_ota_get_next_update_partition(NULL);
  (void)snprintf(elf, 65, "%.*s", (int)sizeof summary->app_elf_sha256, (const char *)summary->app_elf_sha256);
  /* The image that crashed may have been rolled back since. */
  if (complete(elf, esp_app_get_description()) || !slot) return;
  if (esp_ota_get_partition_description(slot, &other) == ESP_OK) (void)complete(elf, &other);
}

#if CONFIG_IDF_TARGET_ARCH_XTENSA
/* EXCCAUSE: Xtensa Instruction Set Architecture, table 4-64. */
static const char *const causes[] = {[0] = "IllegalInstruction", [2] = "InstructionFetchError", [3] = "LoadStoreError",
                                     [6] = "IntegerDivideByZero", [9] = "LoadStoreAlignment",   [20] = "InstrFetchProhibited",
                                     [28] = "LoadProhibited",     [29] = "StoreProhibited"};

static uint32_t read_calls(struct ota_crash *crash, const esp_core_dump_summary_t *summary) {
  const esp_core_dump_bt_info_t *info = &summary->exc_bt_info;
  for (uint32_t i = 0; i < info->depth && i < sizeof info->bt / sizeof info->bt[0] && crash->depth < OTA_CRASH_FRAMES; i++)
    crash->backtrace[crash->depth++] = info->bt[i];
  crash->corrupted = info->corrupted;
  return summary->ex_info.exc_cause;
}
#else
/* mcause: RISC-V Privileged Architecture, table "Machine cause register values after trap". */
static const char *const causes[] = {[0] = "Instruction address misaligned", [1] = "Instruction access fault", [2] = "Illegal instruction",
                                     [3] = "Breakpoint",                     [4] = "Load address misaligned",  [5] = "Load access fault",
                                     [6] = "Store address misaligned",       [7] = "Store access fault"};

/* Without frame pointers nobody walks this stack on the chip: where it was, and where that was called from. */
static uint32_t read_calls(struct ota_crash *crash, const esp_core_dump_summary_t *summary) {
  crash->backtrace[crash->depth++] = summary->exc_pc;
  if (summary->ex_info.ra > 0) crash->backtrace[crash->depth++] = summary->ex_info.ra - 1;
  return summary->ex_info.mcause;
}
#endif

bool flota_core_dump_read(struct ota_crash *crash) {
  esp_core_dump_summary_t *summary = heap_caps_malloc(sizeof *summary, MALLOC_CAP_INTERNAL);
  *crash = (struct ota_crash){0};
  const bool crashed = summary && esp_core_dump_get_summary(summary) == ESP_OK && read_id(crash->id);
  if (crashed) {
    const uint32_t cause = read_calls(crash, summary);
    crash->pc = summary->exc_pc;
    name_elf(crash->elf, summary);
    (void)snprintf(crash->task, sizeof crash->task, "%.*s", (int)sizeof summary->exc_task, summary->exc_task);
    /* Only what calls abort has words for it. */
    if (esp_core_dump_get_panic_reason(crash->reason, sizeof crash->reason) != ESP_OK) {
      const char *name = cause < sizeof causes / sizeof causes[0] ? causes[cause] : NULL;
      if (name) (void)snprintf(crash->reason, sizeof crash->reason, "%s", name);
      else (void)snprintf(crash->reason, sizeof crash->reason, "cause %lu", (unsigned long)cause);
    }
  }
  heap_caps_free(summary);
  return crashed;
}

bool flota_core_dump_erase(void) { return esp_core_dump_image_erase() == ESP_OK; }

#else

bool flota_core_dump_read(struct ota_crash *crash) {
  *crash = (struct ota_crash){0};
  return false;
}

bool flota_core_dump_erase(void) { return true; }

#endif
