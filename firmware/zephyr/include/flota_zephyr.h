/**
 * @file
 * What Flota's agent needs of Zephyr and every board has: MCUboot's slots, staging in the secondary one, blobs in the settings subsystem,
 * randomness, time since the start, restart. The program fills in the rest of struct ota_port and calls ota_agent_poll in its loop.
 */
#ifndef FLOTA_ZEPHYR_H
#define FLOTA_ZEPHYR_H

#include <zephyr/storage/flash_map.h>

#ifdef CONFIG_FLOTA_ENCRYPTION
#include <psa/crypto.h>
#endif

#include "crash.h"
#include "delta.h"
#include "ota_port.h"
#include "seal.h"
#include "slot_staging.h"

struct arch_esf;

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
#ifdef CONFIG_FLOTA_ENCRYPTION
  /** For .seal of struct ota_buffers: the device then takes encrypted firmware. */
  struct ota_seal seal;
  /**
   * The private key of the certificate that the program connects with, as psa_seal.h wants it; with each renewal another one. 0: there is none
   * yet, or it may only sign, and the device does not say that it takes encrypted firmware.
   */
  mbedtls_svc_key_id_t certificate_key;
#endif
#ifdef CONFIG_FLOTA_CRASHES
  /** @cond PRIVATE */
  struct ota_crash crash;
  /** @endcond */
  /** The life before ended in a crash that is not told yet: boot_reason of the port is OTA_BOOT_WATCHDOG then. */
  bool crashed;
#endif
};

/**
 * Opens slots and settings, and fills in staging_…, store_…, random, uptime_ms and reboot of `port`, whose ctx must be `zephyr`, and whose
 * sha256_… are there already. OTA_ERR_ARGUMENT: a slot that is no multiple of CONFIG_FLOTA_SECTOR_BYTES. OTA_ERR_STORAGE: no slots, or no
 * settings. One line in the log says which.
 */
int flota_zephyr_open(struct flota_zephyr *zephyr, struct ota_port *port);

#ifdef CONFIG_FLOTA_CRASHES
/** After each ota_agent_poll: forgets the crash of the life before once a report that tells it is stored. */
void flota_zephyr_poll(struct flota_zephyr *zephyr, struct ota_agent *agent);

/** `health` of the port, where the program has put none before flota_zephyr_open; one of its own calls this one. `ctx` is the module's. */
void flota_zephyr_health(void *ctx, struct ota_text *text);

/** For a k_sys_fatal_error_handler of the program's own (CONFIG_FLOTA_CRASH_HANDLER is off then): notes the crash; restarting is the handler's. */
void flota_zephyr_note_crash(unsigned int reason, const struct arch_esf *esf);
#endif

/** The main component, for CONFIG_FLOTA_HARDWARE. */
struct ota_installer flota_zephyr_installer(struct flota_zephyr *zephyr);

/** As the port's store_…; the program may keep blobs of its own, by other names than the agent's keys: "flota/<name>". */
int flota_zephyr_get(const char *name, void *data, size_t capacity);
/** As store_write, likewise. */
int flota_zephyr_put(const char *name, const void *data, size_t bytes);

#endif
