/* The two OTA partitions as the agent's main component. What an image is (version, size, digest) is kept in NVS by its slot. */
#ifndef SLOTS_H
#define SLOTS_H

#include "crypto.h"
#include "esp_ota_ops.h"
#include "ota_port.h"

enum { SLOTS_BUFFER_BYTES = 4096 };

struct slots {
  struct crypto *crypto;
  uint8_t *buffer; /* SLOTS_BUFFER_BYTES */
  esp_ota_handle_t writing;
  bool open;
  bool measured;
  struct ota_image running;
  /* 0: good, OTA_ERR_BUSY: not known yet, others: bad. */
  int (*self_test)(void *context);
  void *self_test_context;
};

struct ota_installer slots_installer(struct slots *slots, const char *component, const char *hardware);

/* For a start that fails before there is an agent: an image on trial is marked invalid and the old one starts. Returns when there is no trial. */
void slots_give_up_trial(void);

#endif
