/*
 * The sketch of a Flota Uno: a temperature sensor, a servo, and a version that it tells on request. The serial protocol is in
 * ../README.md. The controller on the serial line replaces this sketch through the boot loader, with the reset pin.
 */
#include "command.h"
#include "servo.h"

#ifndef SKETCH_VERSION
#define SKETCH_VERSION "1.0.0"
#endif
/* Raised when an older sketch must never come back. */
#ifndef SKETCH_SECURITY_VERSION
#define SKETCH_SECURITY_VERSION 1
#endif

static CommandReader reader;

static void tell_version() {
  Serial.print(F("version " SKETCH_VERSION " "));
  Serial.println(SKETCH_SECURITY_VERSION);
}

/* TMP36 on A0: 500 mV at 0 °C, 10 mV a degree. Sixteen samples against the 5 V supply. */
static int temperature_tenths() {
  long sum = 0;
  for (uint8_t i = 0; i < 16; i++) sum += analogRead(A0);
  const long millivolts = (sum * 5000L + 8L * 1024L) / (16L * 1024L);
  return static_cast<int>(millivolts) - 500;
}

static void tell_temperature() {
  const int tenths = temperature_tenths();
  Serial.print(F("temperature "));
  if (tenths < 0) Serial.print('-');
  const int size = abs(tenths);
  Serial.print(size / 10);
  Serial.print('.');
  Serial.println(size % 10);
}

static void turn_servo(const char *argument) {
  int degrees = 0;
  if (!parse_degrees(argument, &degrees)) {
    Serial.println(F("error range"));
    return;
  }
  servo_turn(degrees);
  Serial.print(F("servo "));
  Serial.println(degrees);
}

static void answer(const char *line) {
  if (strcmp_P(line, PSTR("version?")) == 0) tell_version();
  else if (strcmp_P(line, PSTR("temperature?")) == 0) tell_temperature();
  else if (strncmp_P(line, PSTR("servo "), 6) == 0) turn_servo(line + 6);
  else Serial.println(F("error unknown"));
}

void setup() {
  Serial.begin(115200);
  tell_version();
}

void loop() {
  while (Serial.available() > 0) {
    switch (reader.take(static_cast<char>(Serial.read()))) {
      case CommandReader::Line: answer(reader.line()); break;
      case CommandReader::TooLong: Serial.println(F("error too_long")); break;
      case CommandReader::Nothing: break;
    }
  }
}
