/* espressif/esp-idf v5.5, components/espcoredump/include/esp_core_dump.h; the two structs of an architecture are those of its
   include/port/<architecture>/esp_core_dump_summary_port.h */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "esp_err.h"
#include "sdkconfig.h"
#define APP_ELF_SHA256_SZ (CONFIG_APP_RETRIEVE_LEN_ELF_SHA + 1)
#if CONFIG_IDF_TARGET_ARCH_XTENSA
typedef struct {
  uint32_t bt[16];
  uint32_t depth;
  bool corrupted;
} esp_core_dump_bt_info_t;
/* Members left out: all but this. */
typedef struct {
  uint32_t exc_cause;
} esp_core_dump_summary_extra_info_t;
#else
/* Members left out: stackdump, dump_size. */
typedef struct {
  char none;
} esp_core_dump_bt_info_t;
/* Members left out: all but these two. */
typedef struct {
  uint32_t mcause;
  uint32_t ra;
} esp_core_dump_summary_extra_info_t;
#endif
/* Members left out: exc_tcb, core_dump_version. */
typedef struct {
  char exc_task[16];
  uint32_t exc_pc;
  esp_core_dump_bt_info_t exc_bt_info;
  uint8_t app_elf_sha256[APP_ELF_SHA256_SZ];
  esp_core_dump_summary_extra_info_t ex_info;
} esp_core_dump_summary_t;
esp_err_t esp_core_dump_image_get(size_t *out_addr, size_t *out_size);
esp_err_t esp_core_dump_image_erase(void);
esp_err_t esp_core_dump_get_panic_reason(char *reason_buffer, size_t buffer_size);
esp_err_t esp_core_dump_get_summary(esp_core_dump_summary_t *summary);
