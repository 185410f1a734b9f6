/**
 * The Cortex-M3: vectors, SysTick to be woken by, reset (ARMv7-M Architecture Reference Manual, B1.5, B3.2 and B3.3), and a timer of the
 * board as the clock: it counts on while nobody can run.
 */
#include <semihost.h>
#include <stdlib.h>

#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYST_CSR REGISTER(0xE000E010)
#define SYST_RVR REGISTER(0xE000E014)
#define SYST_CVR REGISTER(0xE000E018)
/** CMSDK APB timer 0; application note AN385, table 4-2. */
#define TIMER_CTRL REGISTER(0x40000000)
#define TIMER_VALUE REGISTER(0x40000004)
#define TIMER_RELOAD REGISTER(0x40000008)
#define NVIC_ISER0 REGISTER(0xE000E100)
#define NVIC_ICER0 REGISTER(0xE000E180)
#define SCB_VTOR REGISTER(0xE000ED08)
#define SCB_AIRCR REGISTER(0xE000ED0C)

enum { processor_hz = 25000000, tick_ms = 10, exceptions = 16, interrupts = 32, ethernet_interrupt = 13 };

static void on_tick(void) {}

/** Off until the loop has taken the packets: the controller's line stays high as long as there is one. */
static void on_ethernet(void) { NVIC_ICER0 = 1u << ethernet_interrupt; }

extern char __stack[];
typedef void vector(void);
static vector *const vectors[exceptions + interrupts] __attribute__((aligned(256))) = {
    [0] = (vector *)__stack,
    [2 ... 14] = board_on_fault,
    [15] = on_tick,
    [exceptions + ethernet_interrupt] = on_ethernet,
};

void board_start_clock(void) {
  SCB_VTOR = (uint32_t)vectors;
  TIMER_RELOAD = UINT32_MAX;
  TIMER_VALUE = UINT32_MAX;
  TIMER_CTRL = 1;
  SYST_RVR = processor_hz / 1000 * tick_ms - 1;
  SYST_CVR = 0;
  SYST_CSR = 7;
}

void board_expect_packets(void) { NVIC_ISER0 = 1u << ethernet_interrupt; }

void board_sleep(void) {
  board_expect_packets();
  __asm volatile("wfi");
}

/** The timer counts down, once round in 171 s. */
uint64_t host_monotonic_ms(void) {
  static uint32_t last = UINT32_MAX;
  static uint64_t counted;
  uint32_t now = TIMER_VALUE;
  counted += last - now;
  last = now;
  return counted / (processor_hz / 1000);
}

/** The debugger knows the time of day, to the second. */
int64_t host_unix_ms(void) { return (int64_t)sys_semihost_time() * 1000; }

void board_reset(void) {
  SCB_AIRCR = 0x05FA0004;
  for (;;) __asm volatile("wfi");
}

void board_panic(const char *why) {
  (void)fprintf(stderr, "board: %s\n", why);
  sys_semihost_exit(ADP_Stopped_InternalError, 1);
}
