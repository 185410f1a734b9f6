/* espressif/arduino-esp32: cores/esp32/Arduino.h (included in every sketch), esp32-hal.h, HardwareSerial.h, Print.h */
#pragma once
#include <stddef.h>
#include <stdint.h>
extern "C" void delay(uint32_t ms);
/* A class there, with more members; begin has more arguments, all with defaults. */
class HardwareSerial {
public:
  void begin(unsigned long baud);
  size_t printf(const char *format, ...) __attribute__((format(printf, 2, 3)));
  size_t println(const char *text);
};
extern HardwareSerial Serial;
void setup();
void loop();
