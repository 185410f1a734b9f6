/* The boot loader's watchdog, which goes on until Flota's task is watched by the task watchdog (CONFIG_FLOTA_START_WATCHED). */
#ifndef START_GUARD_H
#define START_GUARD_H

void flota_start_guard_end(void);

#endif
