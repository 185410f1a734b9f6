/* zephyrproject-rtos/zephyr, include/zephyr/kernel.h (static inline there); not compared */
#pragma once
#include <stdint.h>
int64_t k_uptime_get(void);
