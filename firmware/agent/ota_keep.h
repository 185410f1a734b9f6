/**
 * What must outlive the journal: how often the device has booted, which journal that counts in, and how low a security version
 * it may still run. Stored twice, apart from the journal.
 */
#ifndef OTA_KEEP_H
#define OTA_KEEP_H

#include "ota_pace.h"
#include "ota_state.h"

struct ota_keep {
  /** A random id, made when there is nothing to go on counting from: the server then starts counting anew, too. */
  char epoch[OTA_RANDOM_ID_CHARS + 1];
  uint32_t boot_count;
  /** By component: the highest security version that has been confirmed. */
  uint64_t floors[OTA_COMPONENTS];
};

/** Reads the better of the two copies, or makes a new epoch. OTA_ERR_STORAGE: neither can be read, or no random numbers. */
int ota_keep_load(struct ota_keep *keep, const struct ota_port *port);

/** Writes both copies, one after the other. OTA_ERR_STORAGE: neither could be written. */
int ota_keep_store(const struct ota_keep *keep, const struct ota_port *port);

#endif
