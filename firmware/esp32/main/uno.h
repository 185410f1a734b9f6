/* The Uno on UART0: the line of the STK500 programmer and of the sketch's protocol, and its record in NVS. */
#ifndef UNO_H
#define UNO_H

#include "crypto.h"
#include "uno_installer.h"

struct uno {
  struct uno_installer installer;
  struct crypto *crypto;
};

/* 0, OTA_ERR_SPACE or OTA_ERR_STORAGE (the UART cannot be had). */
int uno_start(struct uno *uno);
/* Reads the Uno's flash back once and forgets what it was thought to run when it runs something else. Takes up to 4 s. */
void uno_attest(struct uno *uno);

#endif
