/* zephyrproject-rtos/zephyr, include/zephyr/logging/log.h: macros there, a function here so that formats are checked; not compared */
#pragma once
#define LOG_MODULE_REGISTER(name) _Static_assert(sizeof #name > 1, "a name")
void LOG_ERR(const char *format, ...) __attribute__((format(printf, 1, 2)));
