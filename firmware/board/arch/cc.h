/** What lwIP must know of the compiler; picolibc has the rest. */
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LWIP_RAND() board_random()
#define LWIP_PLATFORM_DIAG(x) do { } while (0)
#define LWIP_PLATFORM_ASSERT(text) board_panic(text)

uint32_t board_random(void);
void board_panic(const char *why) __attribute__((noreturn));

#endif
