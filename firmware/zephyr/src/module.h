/* What the parts of the module tell each other. */
#ifndef MODULE_H
#define MODULE_H

#include "flota_zephyr.h"

#ifdef CONFIG_FLOTA_ENCRYPTION
/* sealing.c */
void flota_zephyr_fill_sealing(struct ota_port *port);
#endif

#ifdef CONFIG_FLOTA_CRASHES
/* crash.c: finds out what ended the life before. */
void flota_zephyr_take_crash(struct flota_zephyr *zephyr);
/* From here on a crash is that of this image. */
void flota_zephyr_expect_crash(const uint8_t digest[OTA_SHA256_BYTES]);
#endif

#endif
