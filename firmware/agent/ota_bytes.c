#include "ota_bytes.h"

void ota_put_number(uint8_t *at, uint64_t value, unsigned count) {
  for (; count > 0; count--, value >>= 8) *at++ = (uint8_t)value;
}

uint64_t ota_take_number(const uint8_t *at, unsigned count) {
  uint64_t value = 0;
  while (count > 0) value = value << 8 | at[--count];
  return value;
}
