/* The last crash, as the core dump in flash summarises it. Without core dumps in flash, and in their ELF format, there is never one. */
#ifndef CORE_DUMP_H
#define CORE_DUMP_H

#include <stdbool.h>

#include "crash.h"

/* False: there is none. */
bool flota_core_dump_read(struct ota_crash *crash);
/* Once it is told. False: it is still there, and will be told again. */
bool flota_core_dump_erase(void);

#endif
