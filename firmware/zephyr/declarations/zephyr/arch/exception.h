/* zephyrproject-rtos/zephyr 002bfe2, include/zephyr/arch/arm/cortex_m/exception.h; 06758ff, include/zephyr/arch/riscv/exception.h */
#pragma once
#include <stdint.h>
#ifdef CONFIG_RISCV
struct arch_esf {
  unsigned long ra;
  unsigned long mepc;
};
#else
struct arch_esf {
  struct __basic_sf {
    uint32_t lr;
    uint32_t pc;
  } basic;
};
#endif
