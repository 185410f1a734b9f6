/* espressif/esp-idf v5.5.5, components/log/include/esp_log.h: macros there, functions here so that formats are checked */
#pragma once
void ESP_LOGE(const char *tag, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ESP_LOGW(const char *tag, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ESP_LOGI(const char *tag, const char *format, ...) __attribute__((format(printf, 2, 3)));
