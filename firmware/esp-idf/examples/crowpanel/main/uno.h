/* The Uno on UART0: the line of the STK500 programmer and of the sketch's protocol, and its record in NVS. */
#ifndef UNO_H
#define UNO_H

#include "crypto.h"
#include "uno_installer.h"

struct uno {
  struct uno_installer line;
  struct ota_installer installer;
  struct crypto crypto;
};

/* The Uno as a component, or NULL: no UART or no memory. Reads its flash back first, so it takes up to 4 s. */
const struct ota_installer *uno_start(struct uno *uno);
/* Hears what the sketch says, and hands its temperature on. From Flota's task, which is where the installer runs. */
void uno_poll(struct uno *uno);

#endif
