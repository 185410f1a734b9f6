#include "ota_crc.h"

uint32_t ota_crc32(const uint8_t *data, size_t bytes) {
  // Bit by bit: a table of 1 KiB is not worth it for what is read once a boot and written once a transition.
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < bytes; i++) {
    crc ^= data[i];
    for (unsigned bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}
