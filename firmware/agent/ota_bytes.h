/** Little-endian numbers, as everything is stored. */
#ifndef OTA_BYTES_H
#define OTA_BYTES_H

#include "ota_types.h"

/** The lowest `count` bytes of a number. */
void ota_put_number(uint8_t *at, uint64_t value, unsigned count);
uint64_t ota_take_number(const uint8_t *at, unsigned count);

#endif
