/* The generator that Mbed TLS 3.6 wants handed to it; Mbed TLS 4 asks PSA by itself. */
#ifndef ENTROPY_H
#define ENTROPY_H

#include "esp_random.h"
#include "mbedtls/build_info.h"

#if MBEDTLS_VERSION_MAJOR >= 4
#define ENTROPY_ARGUMENTS
#else
/* The hardware's, which is true random while the radio is on (it is, before any key is made). */
static inline int entropy_fill(void *unused, unsigned char *data, size_t size) {
  (void)unused;
  esp_fill_random(data, size);
  return 0;
}
#define ENTROPY_ARGUMENTS , entropy_fill, NULL
#endif

#endif
