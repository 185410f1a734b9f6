#pragma once
#include <Arduino.h>

/* Collects one line; a line longer than the buffer is dropped whole and told once, at its end. */
class CommandReader {
 public:
  enum Event { Nothing, Line, TooLong };

  Event take(char c) {
    if (c == '\r') return Nothing;
    if (c != '\n') {
      if (size_ < sizeof text_ - 1) text_[size_++] = c;
      else overflow_ = true;
      return Nothing;
    }
    const Event event = overflow_ ? TooLong : size_ > 0 ? Line : Nothing;
    text_[size_] = '\0';
    size_ = 0;
    overflow_ = false;
    return event;
  }

  const char *line() const { return text_; }

 private:
  char text_[32];
  uint8_t size_ = 0;
  bool overflow_ = false;
};

/* "0" to "180", digits only. */
inline bool parse_degrees(const char *text, int *degrees) {
  int value = 0;
  if (*text == '\0') return false;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9') return false;
    value = value * 10 + (*text - '0');
    if (value > 180) return false;
  }
  *degrees = value;
  return true;
}
