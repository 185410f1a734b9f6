/*
 * The time, without which no certificate can be judged, from whoever has it first: the clock that runs on through a restart, NTP, or the
 * Date of Flota's own server. Until then the clock stands at the latest moment that is known to be over: the one stored last, or the
 * notBefore of the device's own certificate. That is enough for TLS with most servers, so nobody waits for NTP.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "settings.h"

/* Moves the clock forward to what is known to be over. `not_before_ms` of the own certificate, or 0. */
void flota_clock_begin(int64_t not_before_ms);
/* Asks NTP, then the server; takes up to 30 s. True when the time is known. To be called again. */
bool flota_clock_ask(const struct settings *settings);
/* Milliseconds since 1970, or -1 while the time is only a lower bound. */
int64_t flota_clock_unix_ms(void);
/* Stores the time now and then, for the next start without NTP. */
void flota_clock_keep(void);

#endif
