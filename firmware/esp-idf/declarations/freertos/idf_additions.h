/* espressif/esp-idf v5.5.5, components/freertos/esp_additions/include/freertos/idf_additions.h */
#pragma once
#include "freertos/stream_buffer.h"
StreamBufferHandle_t xStreamBufferCreateWithCaps(size_t xBufferSizeBytes, size_t xTriggerLevelBytes, UBaseType_t uxMemoryCaps);
