/* espressif/esp-idf v5.5.5, components/freertos/FreeRTOS-Kernel/include/freertos/stream_buffer.h */
#pragma once
#include "freertos/FreeRTOS.h"
typedef struct StreamBufferDef_t *StreamBufferHandle_t;
size_t xStreamBufferSend(StreamBufferHandle_t xStreamBuffer, const void *pvTxData, size_t xDataLengthBytes, TickType_t xTicksToWait);
size_t xStreamBufferReceive(StreamBufferHandle_t xStreamBuffer, void *pvRxData, size_t xBufferLengthBytes, TickType_t xTicksToWait);
BaseType_t xStreamBufferReset(StreamBufferHandle_t xStreamBuffer);
