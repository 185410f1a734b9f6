/* espressif/arduino-esp32: cores/esp32/Print.h 08b6363 (printf, println); Arduino.h, esp32-hal.h and HardwareSerial.h, not compared */
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
