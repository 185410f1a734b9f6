/** An MPS2 board with a Cortex-M3 (AN385), as qemu emulates it: what its files tell each other. It has the options of flota-device. */
#ifndef BOARD_H
#define BOARD_H

#include <mbedtls/pk.h>

#include "../host/host.h"
#include "arch/cc.h"

/* cpu.c: clock, interrupts, reset. */
void board_start_clock(void);
/** Sleeps until something has happened, 10 ms at most. */
void board_sleep(void);
void board_reset(void) __attribute__((noreturn));

/* fault.c: the vector of all faults. */
void board_on_fault(void);

/* ethernet.c: a LAN9118. */
void board_start_network(void);
/** Takes in what has come and runs lwIP's timers. */
void board_poll_network(void);
void board_expect_packets(void);

/* crypto.c */
void board_start_crypto(void);
int board_drbg(void *context, unsigned char *data, size_t bytes);

/* identity.c: the key of the certificate, to be freed in any case. */
bool board_own_key(const struct host *host, mbedtls_pk_context *key);

/* files.c: the whole of a file as text, or null; to be freed. */
char *board_read_text(const char *path);
/** What runs, as a file of whoever runs the emulator. */
extern const char *board_elf;

#endif
