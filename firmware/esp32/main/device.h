/* All there is of the device, in one place; the context of every callback of the agent's port. */
#ifndef DEVICE_H
#define DEVICE_H

#include "crypto.h"
#include "http.h"
#include "identity.h"
#include "mqtt.h"
#include "network.h"
#include "report.h"
#include "screen.h"
#include "settings.h"
#include "slots.h"
#include "staging.h"
#include "uno.h"

struct device {
  struct settings settings;
  struct identity identity;
  struct network network;
  struct mqtt mqtt;
  struct http http;
  struct staging staging;
  struct crypto crypto;
  struct slots slots;
  struct uno uno;
  struct screen screen;
  struct report report;
};

/* The hardware as the agent sees it. */
struct ota_port device_port(struct device *device);

#endif
