/** CRC-32 (ISO-HDLC, as in Ethernet and zip): finds damage, not malice. */
#ifndef OTA_CRC_H
#define OTA_CRC_H

#include "ota_types.h"

uint32_t ota_crc32(const uint8_t *data, size_t bytes);

#endif
