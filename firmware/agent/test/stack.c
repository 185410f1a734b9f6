#include "stack.h"

static uint32_t deepest;

#if defined(__arm__) || defined(__riscv)
enum { painted_bytes = 16 * 1024, below_us = 128 };
static const uint8_t paint = 0xa7;

__attribute__((noinline)) void stack_paint(void) {
  volatile uint8_t *top = (volatile uint8_t *)__builtin_frame_address(0) - below_us;
  for (uint32_t i = 1; i <= painted_bytes; i++) top[-(int32_t)i] = paint;
}

__attribute__((noinline)) void stack_measure(void) {
  const volatile uint8_t *top = (const volatile uint8_t *)__builtin_frame_address(0) - below_us;
  uint32_t used = painted_bytes;
  while (used > 0 && top[-(int32_t)used] == paint) used--;
  used = used > 0 ? used + below_us : 0;
  if (used > deepest) deepest = used;
}
#else
void stack_paint(void) {}
void stack_measure(void) {}
#endif

uint32_t stack_deepest(void) { return deepest; }
