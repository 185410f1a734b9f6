/* What the device tells of itself every telemetry period: the port's `telemetry` callback. */
#ifndef REPORT_H
#define REPORT_H

#include <stddef.h>

#include "mqtt.h"
#include "network.h"
#include "uno_installer.h"

struct report {
  const struct network *network;
  struct mqtt *mqtt;
  /* NULL without a Uno. */
  const struct uno_installer *uno;
};

int report_fields(struct report *report, unsigned index, const char **topic, char *fields, size_t capacity);

#endif
