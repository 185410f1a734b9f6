/* What the device tells of itself every telemetry period: the port's `telemetry` callback. */
#ifndef REPORT_H
#define REPORT_H

#include <stddef.h>

#include "mqtt.h"

int flota_report_fields(struct mqtt *mqtt, unsigned index, const char **topic, char *fields, size_t capacity);

#endif
