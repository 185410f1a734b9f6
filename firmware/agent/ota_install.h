/** Checks the staged image and copies it to where it will run, block by block. */
#ifndef OTA_INSTALL_H
#define OTA_INSTALL_H

#include "ota_types.h"

struct ota_agent;

struct ota_install {
  uint32_t offset;
  /** All is written, and is being read back. */
  bool reading_back;
};

/** Both begin at the first byte; what they find is an event for the transition table. */
int ota_verify_start(struct ota_agent *agent);
int ota_install_start(struct ota_agent *agent);
/** One block. */
void ota_verify_poll(struct ota_agent *agent);
void ota_install_poll(struct ota_agent *agent);
/** The image is written and read back, and may boot: the point of no return. */
void ota_install_activate(struct ota_agent *agent);

#endif
