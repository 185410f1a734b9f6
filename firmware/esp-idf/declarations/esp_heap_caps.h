/* espressif/esp-idf v5.5.5, components/heap/include/esp_heap_caps.h */
#pragma once
#include <stddef.h>
#include <stdint.h>
#define MALLOC_CAP_SPIRAM (1 << 10)
#define MALLOC_CAP_INTERNAL (1 << 11)
#define MALLOC_CAP_DEFAULT (1 << 12)
void *heap_caps_malloc(size_t size, uint32_t caps);
void *heap_caps_calloc_prefer(size_t n, size_t size, size_t num, ...);
void heap_caps_free(void *ptr);
