/* espressif/esp-idf v5.5.5, components/esp_common/include/esp_err.h */
#pragma once
#include <stdint.h>
typedef int esp_err_t;
#define ESP_OK 0
#define ESP_FAIL -1
#define ESP_ERR_NO_MEM 0x101
#define ESP_ERR_INVALID_ARG 0x102
#define ESP_ERR_INVALID_STATE 0x103
#define ESP_ERR_INVALID_SIZE 0x104
#define ESP_ERR_NOT_FOUND 0x105
#define ESP_ERR_NOT_FINISHED 0x10C
#ifdef __cplusplus
extern "C" {
#endif
const char *esp_err_to_name(esp_err_t code);
/* Macros there. */
void ESP_ERROR_CHECK(esp_err_t error);
void ESP_ERROR_CHECK_WITHOUT_ABORT(esp_err_t error);
#ifdef __cplusplus
}
#endif
