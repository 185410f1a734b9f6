/* What the factory (or you, on the bench) writes into NVS before the first start: settings.ts makes it. Wi-Fi is the program's own. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stddef.h>

#include "ota_types.h"

enum { SETTINGS_KEYS = 2 };

struct settings {
  char id[65];
  char mqtt_url[256];   /* mqtts://host:8883 */
  char enroll_url[256]; /* https://host/api/issue_cert */
  char token[129];      /* one-time token of that address */
  char ntp[128];
  char trust[4000]; /* PEM: roots of broker, API and file store; NVS texts end at 4,000 bytes */
  struct ota_signing_key keys[SETTINGS_KEYS];
  size_t key_count;
};

/* NULL, or in one line which setting is missing or wrong. */
const char *flota_settings_load(struct settings *settings);

#endif
