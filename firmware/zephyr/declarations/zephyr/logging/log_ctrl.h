/* zephyrproject-rtos/zephyr 06758ff, include/zephyr/logging/log_ctrl.h: log_panic() or nothing */
#pragma once
#define LOG_PANIC() log_panic()
void log_panic(void);
