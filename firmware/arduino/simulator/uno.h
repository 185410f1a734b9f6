/*
 * An Arduino Uno in a process of its own: libsimavr's ATmega328P with the real optiboot in its boot section, its UART on a pty.
 * What a hand or a wire does to a board (reset button, power plug, a failing flash cell) is done through shared memory.
 */
#ifndef FLOTA_SIMULATED_UNO_H
#define FLOTA_SIMULATED_UNO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct uno_board; /* shared memory */

struct simulated_uno {
  struct uno_board *board;
  pid_t process;
  int tty; /* the Uno's serial line, raw, non-blocking */
};

/* Starts a blank Uno (flash all 0xFF but the boot loader, raw bytes in a file); exits the program with a message when it cannot. */
struct simulated_uno uno_start(const char *boot_loader);
void uno_stop(struct simulated_uno *uno);

/* The Uno's own time: what the line's timeouts are measured in. */
uint32_t uno_now_ms(const struct simulated_uno *uno);

/* Each returns when the board has done it. */
void uno_press_reset(const struct simulated_uno *uno);
void uno_cycle_power(const struct simulated_uno *uno);
void uno_hold_in_reset(const struct simulated_uno *uno, bool held);
/* Flips the bits of mask in one byte of flash, as a failing cell would. */
void uno_corrupt_flash(const struct simulated_uno *uno, uint16_t address, uint8_t mask);
void uno_set_sensor_mv(const struct simulated_uno *uno, uint32_t millivolts);

const uint8_t *uno_flash(const struct simulated_uno *uno);
/* Length of the pulse that timer 1 gives on D9; 0 while the pin is not driven. */
uint32_t uno_servo_pulse_us(const struct simulated_uno *uno);

#endif
