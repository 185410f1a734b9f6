/**
 * @file
 * What Flota's agent needs of Zephyr and every board has: MCUboot's slots, staging in the secondary one, blobs in the settings subsystem,
 * randomness, time since the start, restart. The program fills in the rest of struct ota_port and calls ota_agent_poll in its loop.
 */
#ifndef FLOTA_ZEPHYR_H
#define FLOTA_ZEPHYR_H

#include <zephyr/storage/flash_map.h>

#include "delta.h"
#include "ota_port.h"
#include "slot_staging.h"

/** The program sets the members with a comment before flota_zephyr_open; the others are the module's. */
struct flota_zephyr {
  /** @cond PRIVATE */
  const struct flash_area *primary, *secondary;
  struct slot_staging staging;
  /** @endcond */
  /** Of the program's port, whose SHA-256 measures the running image. */
  const struct ota_port *port;
  /** @cond PRIVATE */
  struct ota_image running;
  bool measured;
  /** It was put here by activate and is not confirmed. One that came by cable is never on trial: there is nothing to go back to. */
  bool on_trial;
  /** @endcond */
  /** 0: good, OTA_ERR_BUSY: not known yet, others: bad. May be null. */
  int (*self_test)(void *context);
  /** What the program says before an image is installed, as in struct ota_installer. May be null. */
  ota_ask *may_install;
  /** The same before the restart into it. */
  ota_ask *may_reboot;
  void *context; /**< Given to these three. */
#ifdef CONFIG_FLOTA_PATCHES
  /** For .delta of struct ota_buffers: the device then takes updates by patch, and compressed images. */
  struct ota_delta delta;
#endif
};

/**
 * Opens slots and settings, and fills in staging_…, store_…, random, uptime_ms and reboot of `port`, whose ctx must be `zephyr`, and whose
 * sha256_… are there already. OTA_ERR_ARGUMENT: a slot that is no multiple of CONFIG_FLOTA_SECTOR_BYTES. OTA_ERR_STORAGE: no slots, or no
 * settings. One line in the log says which.
 */
int flota_zephyr_open(struct flota_zephyr *zephyr, struct ota_port *port);

/** The main component, for CONFIG_FLOTA_HARDWARE. */
struct ota_installer flota_zephyr_installer(struct flota_zephyr *zephyr);

/** As the port's store_…; the program may keep blobs of its own, by other names than the agent's keys: "flota/<name>". */
int flota_zephyr_get(const char *name, void *data, size_t capacity);
/** As store_write, likewise. */
int flota_zephyr_put(const char *name, const void *data, size_t bytes);

#endif
