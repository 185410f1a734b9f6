#include "Flota.h"

/*
 * Without it the core confirms every new image before setup() runs, good or bad. Weak in cores/esp32/esp32-hal-misc.c, which is C. Linked
 * whenever the library is, because flota_start is in the same program and this file is compiled into it.
 */
extern "C" bool verifyRollbackLater() { return true; }
