/* Buffers: in PSRAM when there is any, for they are large and may be slow. */
#ifndef BUFFERS_H
#define BUFFERS_H

#include "esp_heap_caps.h"

/* Zeroed; NULL when there is none. Freed with heap_caps_free. */
static inline void *memory_take(size_t bytes) {
  return heap_caps_calloc_prefer(1, bytes, 2, MALLOC_CAP_SPIRAM, MALLOC_CAP_DEFAULT);
}

#endif
