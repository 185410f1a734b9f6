/* The two OTA partitions as the agent's main component. What an image is (version, size, digest) is kept in NVS by its slot. */
#ifndef SLOTS_H
#define SLOTS_H

#include "crypto.h"
#include "esp_ota_ops.h"
#include "esp_partition.h"
#include "ota_port.h"

enum { SLOTS_BUFFER_BYTES = 4096 };

struct slots {
  struct crypto *crypto;
  uint8_t *buffer; /* SLOTS_BUFFER_BYTES */
  const esp_partition_t *other; /* the one that does not run */
  /* Images are downloaded into `other`: there is nothing left to copy. */
  bool staged_in_place;
  esp_ota_handle_t writing;
  bool open;
  bool measured;
  struct ota_image running;
  /* 0: good, OTA_ERR_BUSY: not known yet, others: bad. May be NULL. */
  int (*self_test)(void *context);
  /* May be NULL, as in struct ota_installer. */
  ota_ask *may_install, *may_reboot;
  /* Of these three. */
  void *context;
};

/* NULL, or what is wrong with the partition table, in one line. Sets `other`. */
const char *flota_slots_find(struct slots *slots);

struct ota_installer flota_slots_installer(struct slots *slots, const char *component, const char *hardware);

/* Flash of the other slot, for staging; `ctx` is the struct slots. Refused while the running image is on trial: the other is the way back. */
int flota_slots_erase_sector(void *ctx, uint32_t offset);
int flota_slots_write(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes);
int flota_slots_read(void *ctx, uint32_t offset, uint8_t *data, size_t bytes);

bool flota_slots_on_trial(void);
/* For a start that fails before there is an agent: an image on trial is marked invalid and the old one starts. Returns when there is no trial. */
void flota_slots_give_up_trial(void);

#endif
