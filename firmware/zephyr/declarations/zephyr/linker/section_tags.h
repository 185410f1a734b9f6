/* zephyrproject-rtos/zephyr 0141c95, include/zephyr/linker/section_tags.h; Z_GENERIC_SECTION of toolchain/gcc.h was not compared */
#pragma once
#define Z_STRINGIFY(name) #name
#define Z_GENERIC_SECTION(segment) __attribute__((section(Z_STRINGIFY(segment))))
#define __noinit Z_GENERIC_SECTION(.noinit)
