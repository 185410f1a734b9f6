/* espressif/esp-idf v5.5.5, components/freertos: FreeRTOS.h, projdefs.h, the Xtensa portmacro.h */
#pragma once
#include <stddef.h>
#include <stdint.h>
typedef int BaseType_t;
typedef unsigned int UBaseType_t;
typedef uint32_t TickType_t;
#define pdTRUE ((BaseType_t)1)
#define pdPASS pdTRUE
#define portMAX_DELAY ((TickType_t)0xffffffffUL)
/* The tick rate of the default configuration. */
#define pdMS_TO_TICKS(ms) ((TickType_t)(((uint64_t)(ms) * 100U) / 1000U))
#define tskNO_AFFINITY ((BaseType_t)0x7FFFFFFF)
typedef struct {
  uint32_t owner;
  uint32_t count;
} portMUX_TYPE;
#define portMUX_INITIALIZER_UNLOCKED {.owner = 0xB33FFFFF, .count = 0}
