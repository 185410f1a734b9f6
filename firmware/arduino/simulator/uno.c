#include "uno.h"

#include <errno.h>
#include <fcntl.h>
#include <simavr/avr_adc.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
  F_CPU_HZ = 16000000,
  CYCLES_PER_MS = F_CPU_HZ / 1000,
  FLASH_BYTES = 32768,
  SPEED = 3, /* simulated milliseconds in a real one, at most: tests take a third of the time, a busy host is still in time */
  /* Data addresses and bits of the ATmega328P's data sheet. */
  REGISTER_MCUSR = 0x54,
  MCUSR_PORF = 1,
  MCUSR_EXTRF = 2,
  REGISTER_DDRB = 0x24,
  REGISTER_TCCR1A = 0x80,
  REGISTER_OCR1A = 0x88,
};

enum action { ACTION_NONE, ACTION_RESET, ACTION_POWER, ACTION_HOLD, ACTION_RELEASE, ACTION_CORRUPT };

struct uno_board {
  _Atomic uint64_t cycles;
  _Atomic int action;
  _Atomic uint32_t corrupt_address;
  _Atomic uint32_t corrupt_mask;
  _Atomic uint32_t sensor_mv;
  _Atomic uint32_t servo_us;
  _Atomic bool booted;
  uint8_t flash[FLASH_BYTES];
};

struct wire {
  int tty;
  bool open; /* the UART takes more bytes */
  avr_irq_t *input;
};

static void die(const char *what) {
  (void)fprintf(stderr, "simulated Uno: %s: %s\n", what, strerror(errno));
  exit(2);
}

static void on_uart_output(struct avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  const struct wire *wire = param;
  const uint8_t byte = (uint8_t)value;
  /* Nobody reads: like a wire, nothing is kept. */
  if (write(wire->tty, &byte, 1) < 0 && errno != EAGAIN && errno != EIO) die("write");
}

static void on_xon(struct avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  (void)value;
  ((struct wire *)param)->open = true;
}

static void on_xoff(struct avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  (void)value;
  ((struct wire *)param)->open = false;
}

static void feed_uart(struct wire *wire) {
  uint8_t byte = 0;
  while (wire->open && read(wire->tty, &byte, 1) == 1) avr_raise_irq(wire->input, byte);
}

static void no_sleep(avr_t *avr, avr_cycle_count_t cycles) {
  (void)avr;
  (void)cycles;
}

static void quiet(avr_t *avr, const int level, const char *format, va_list arguments) {
  (void)avr;
  if (level == LOG_ERROR) (void)vfprintf(stderr, format, arguments);
}

static void reset_chip(avr_t *avr, uint8_t cause) {
  avr_reset(avr);
  avr->data[REGISTER_MCUSR] = cause;
}

static void connect_uart(avr_t *avr, struct wire *wire) {
  uint32_t flags = 0;
  avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
  wire->input = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
  avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), on_uart_output, wire);
  avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), on_xon, wire);
  avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), on_xoff, wire);
}

/* At the start of the smallest boot section that holds it (BOOTSZ), where a reset begins (BOOTRST). */
static void load_boot_loader(avr_t *avr, const char *path) {
  uint8_t code[2048];
  FILE *file = fopen(path, "rb");
  if (!file) die(path);
  const size_t size = fread(code, 1, sizeof code, file);
  if (size == 0 || !feof(file)) die(path);
  (void)fclose(file);
  size_t section = 512;
  while (section < size) section *= 2;
  avr_loadcode(avr, code, (uint32_t)size, (avr_flashaddr_t)(FLASH_BYTES - section));
  avr->reset_pc = (avr_flashaddr_t)(FLASH_BYTES - section);
}

static avr_t *make_chip(const char *boot_loader) {
  avr_global_logger_set(quiet);
  avr_t *avr = avr_make_mcu_by_name("atmega328p");
  if (!avr || avr_init(avr) != 0) die("atmega328p");
  avr->frequency = F_CPU_HZ;
  avr->vcc = avr->avcc = avr->aref = 5000;
  avr->sleep = no_sleep;
  memset(avr->flash, 0xFF, FLASH_BYTES);
  load_boot_loader(avr, boot_loader);
  avr->codeend = avr->flashend;
  return avr;
}

static uint32_t servo_pulse_us(const avr_t *avr) {
  const bool driven = (avr->data[REGISTER_DDRB] & 2) && (avr->data[REGISTER_TCCR1A] & 0x80);
  const uint32_t ticks = avr->data[REGISTER_OCR1A] | (uint32_t)avr->data[REGISTER_OCR1A + 1] << 8;
  return driven ? ticks / 2 : 0;
}

static bool act(avr_t *avr, struct uno_board *board, bool held) {
  const int action = atomic_load(&board->action);
  if (action == ACTION_NONE) return held;
  if (action == ACTION_RESET) reset_chip(avr, MCUSR_EXTRF);
  if (action == ACTION_POWER) reset_chip(avr, MCUSR_PORF);
  if (action == ACTION_HOLD) held = true;
  if (action == ACTION_RELEASE) {
    held = false;
    reset_chip(avr, MCUSR_EXTRF);
  }
  if (action == ACTION_CORRUPT) avr->flash[board->corrupt_address] ^= (uint8_t)board->corrupt_mask;
  atomic_store(&board->action, ACTION_NONE);
  return held;
}

static struct timespec later(struct timespec from, long ns) {
  from.tv_nsec += ns;
  if (from.tv_nsec >= 1000000000L) {
    from.tv_nsec -= 1000000000L;
    from.tv_sec++;
  }
  return from;
}

/* Millisecond by millisecond at an even pace; time lost on a busy machine is not caught up. */
static void run_chip(const char *boot_loader, struct uno_board *board, int tty) {
  avr_t *avr = make_chip(boot_loader);
  struct wire wire = {.tty = tty, .open = true};
  connect_uart(avr, &wire);
  avr_irq_t *sensor = avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0);
  reset_chip(avr, MCUSR_PORF);
  bool held = false;
  uint64_t elapsed = 0;
  struct timespec due;
  clock_gettime(CLOCK_MONOTONIC, &due);
  for (;;) {
    held = act(avr, board, held);
    avr_raise_irq(sensor, board->sensor_mv);
    const avr_cycle_count_t until = avr->cycle + CYCLES_PER_MS;
    uint32_t instructions = 0;
    while (!held && avr->cycle < until) {
      if ((instructions++ & 511) == 0) feed_uart(&wire);
      const int state = avr_run(avr);
      if (state == cpu_Done || state == cpu_Crashed) die("the chip crashed");
    }
    elapsed += CYCLES_PER_MS;
    atomic_store(&board->cycles, elapsed);
    atomic_store(&board->servo_us, servo_pulse_us(avr));
    memcpy(board->flash, avr->flash, FLASH_BYTES);
    atomic_store(&board->booted, true);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    due = later(due, 1000000L / SPEED);
    const bool late = now.tv_sec > due.tv_sec || (now.tv_sec == due.tv_sec && now.tv_nsec > due.tv_nsec);
    if (late) due = now;
    else clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
  }
}

static void make_raw(int tty) {
  struct termios settings;
  if (tcgetattr(tty, &settings) != 0) die("tcgetattr");
  cfmakeraw(&settings);
  if (tcsetattr(tty, TCSANOW, &settings) != 0) die("tcsetattr");
}

struct simulated_uno uno_start(const char *boot_loader) {
  struct simulated_uno uno = {0};
  uno.board = mmap(NULL, sizeof *uno.board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (uno.board == MAP_FAILED) die("mmap");
  const int chip_end = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (chip_end < 0 || grantpt(chip_end) != 0 || unlockpt(chip_end) != 0) die("pty");
  uno.tty = open(ptsname(chip_end), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (uno.tty < 0) die("pty");
  make_raw(uno.tty);
  uno.process = fork();
  if (uno.process < 0) die("fork");
  if (uno.process == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    run_chip(boot_loader, uno.board, chip_end);
  }
  close(chip_end);
  const struct timespec moment = {.tv_nsec = 1000000};
  while (!atomic_load(&uno.board->booted)) {
    if (waitpid(uno.process, NULL, WNOHANG) == uno.process) die("the simulator ended");
    nanosleep(&moment, NULL);
  }
  return uno;
}

void uno_stop(struct simulated_uno *uno) {
  kill(uno->process, SIGKILL);
  waitpid(uno->process, NULL, 0);
  close(uno->tty);
  munmap(uno->board, sizeof *uno->board);
}

uint32_t uno_now_ms(const struct simulated_uno *uno) {
  return (uint32_t)(atomic_load(&uno->board->cycles) / CYCLES_PER_MS);
}

/* What is published at the end of a millisecond is then true for now. */
static void await_next_ms(const struct simulated_uno *uno) {
  const struct timespec moment = {.tv_nsec = 200000};
  const uint32_t now = uno_now_ms(uno);
  while (uno_now_ms(uno) == now) nanosleep(&moment, NULL);
}

static void ask(const struct simulated_uno *uno, enum action action) {
  atomic_store(&uno->board->action, action);
  while (atomic_load(&uno->board->action) != ACTION_NONE) await_next_ms(uno);
  await_next_ms(uno);
}

void uno_press_reset(const struct simulated_uno *uno) { ask(uno, ACTION_RESET); }
void uno_cycle_power(const struct simulated_uno *uno) { ask(uno, ACTION_POWER); }
void uno_hold_in_reset(const struct simulated_uno *uno, bool held) { ask(uno, held ? ACTION_HOLD : ACTION_RELEASE); }

void uno_corrupt_flash(const struct simulated_uno *uno, uint16_t address, uint8_t mask) {
  uno->board->corrupt_address = address;
  uno->board->corrupt_mask = mask;
  ask(uno, ACTION_CORRUPT);
}

void uno_set_sensor_mv(const struct simulated_uno *uno, uint32_t millivolts) { uno->board->sensor_mv = millivolts; }
const uint8_t *uno_flash(const struct simulated_uno *uno) { return uno->board->flash; }

uint32_t uno_servo_pulse_us(const struct simulated_uno *uno) {
  await_next_ms(uno);
  return uno->board->servo_us;
}
