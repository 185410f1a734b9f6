/* zephyrproject-rtos/zephyr 06758ff, include/zephyr/random/random.h */
#pragma once
#include <stddef.h>
int sys_csrand_get(void *dst, size_t len);
