/* All there is of the device, in one place; the context of every callback of the agent's port. */
#ifndef DEVICE_H
#define DEVICE_H

#include "crash.h"
#include "crypto.h"
#include "flota.h"
#include "http.h"
#include "identity.h"
#include "mqtt.h"
#include "settings.h"
#include "slots.h"
#include "staging.h"

struct device {
  flota_config_t config;
  struct settings settings;
  struct identity identity;
  struct mqtt mqtt;
  struct http http;
  struct staging staging;
  struct crypto crypto;
  struct slots slots;
  /* What ended the life before this one, until it is told. */
  bool crashed;
  struct ota_crash crash;
};

/* The hardware as the agent sees it. */
struct ota_port flota_device_port(struct device *device);

#endif
