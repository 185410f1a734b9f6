#ifndef ENTROPY_H
#define ENTROPY_H

#include <stddef.h>

/* For Mbed TLS: the hardware's generator, which is true random while the radio is on (it is, before any key is made). Gives 0. */
int entropy_fill(void *unused, unsigned char *data, size_t size);

#endif
