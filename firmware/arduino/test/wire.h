/* The wire between the programmer and the simulated Uno, byte for byte, and what can go wrong on it. */
#ifndef FLOTA_TEST_WIRE_H
#define FLOTA_TEST_WIRE_H

#include "stk500.h"
#include "uno.h"
#include "uno_line.h"

struct wire {
  const struct simulated_uno *uno;
  uint32_t resets;
  /* Faults, off at 0. */
  uint32_t flip_address; /* a data byte of the page at this address arrives wrong, */
  uint32_t flip_times;   /* so many times */
  uint32_t lose_byte;    /* this byte from the Uno, counted from 1, is lost */
  uint8_t flip_signature; /* the chip answers a signature with these bits changed */
  bool cut;            /* the cable is out: writing fails */
  const char *chatter; /* what the old sketch still says after the reset */
  uint32_t address; /* what the programmer last loaded */
  uint32_t pages;   /* sent so far */
  uint32_t bytes;
  bool signature_asked;
};

struct stk500_line wire_line(struct wire *wire);

/* Sends text to the sketch. */
void wire_say(const struct wire *wire, const char *text);
/* The next line of the protocol, within timeout_ms of the Uno's time; kind UNO_LINE_OTHER and an empty version when none came. */
struct uno_line wire_listen(const struct wire *wire, uint32_t timeout_ms);

#endif
