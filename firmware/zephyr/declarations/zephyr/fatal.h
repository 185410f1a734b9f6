/* zephyrproject-rtos/zephyr 2b08ff9, include/zephyr/fatal.h; fatal_types.h 03af3a0 */
#pragma once
#include <zephyr/arch/exception.h>
enum k_fatal_error_reason { K_ERR_CPU_EXCEPTION, K_ERR_SPURIOUS_IRQ, K_ERR_STACK_CHK_FAIL, K_ERR_KERNEL_OOPS, K_ERR_KERNEL_PANIC };
void k_sys_fatal_error_handler(unsigned int reason, const struct arch_esf *esf);
