#pragma once
#include <Arduino.h>

/*
 * A hobby servo on D9 (OC1A) by timer 1 alone: fast PWM with ICR1 as top, 0.5 µs a tick, 20 ms a period, so that no interrupt
 * jitters the pulse. 1.0 ms is 0°, 2.0 ms is 180°. The pin is driven only after the first command.
 */
inline void servo_turn(int degrees) {
  const uint16_t ticks = 2000 + static_cast<uint16_t>((degrees * 2000L) / 180);
  ICR1 = 39999;
  OCR1A = ticks;
  TCCR1A = _BV(COM1A1) | _BV(WGM11);
  TCCR1B = _BV(WGM13) | _BV(WGM12) | _BV(CS11);
  pinMode(9, OUTPUT);
}
