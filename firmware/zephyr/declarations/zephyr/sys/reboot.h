/* zephyrproject-rtos/zephyr 145209f, include/zephyr/sys/reboot.h */
#pragma once
#define SYS_REBOOT_WARM 0
#define SYS_REBOOT_COLD 1
extern void sys_reboot(int type) __attribute__((__noreturn__));
