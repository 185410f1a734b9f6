/* zephyrproject-rtos/zephyr, include/zephyr/kernel.h (k_uptime_get and k_current_get are static inline there); version not known */
#pragma once
#include <stdint.h>
typedef struct k_thread *k_tid_t;
int64_t k_uptime_get(void);
k_tid_t k_current_get(void);
const char *k_thread_name_get(k_tid_t thread);
