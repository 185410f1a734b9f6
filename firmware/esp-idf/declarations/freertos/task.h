/* espressif/esp-idf v5.5.5, components/freertos/FreeRTOS-Kernel/include/freertos/task.h (ulTaskNotifyTake and xTaskNotifyGive are macros there) */
#pragma once
#include "freertos/FreeRTOS.h"
typedef struct tskTaskControlBlock *TaskHandle_t;
typedef void (*TaskFunction_t)(void *);
BaseType_t xTaskCreatePinnedToCore(TaskFunction_t pxTaskCode, const char *const pcName, const uint32_t ulStackDepth, void *const pvParameters,
                                   UBaseType_t uxPriority, TaskHandle_t *const pxCreatedTask, const BaseType_t xCoreID);
void vTaskDelete(TaskHandle_t xTaskToDelete);
void vTaskDelay(const TickType_t xTicksToDelay);
uint32_t ulTaskNotifyTake(BaseType_t xClearCountOnExit, TickType_t xTicksToWait);
BaseType_t xTaskNotifyGive(TaskHandle_t xTaskToNotify);
/* Macros there; on the chips with two cores the lock is taken too. */
void taskENTER_CRITICAL(portMUX_TYPE *mux);
void taskEXIT_CRITICAL(portMUX_TYPE *mux);
