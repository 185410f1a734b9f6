/*
 * What needs an answer from the network before there is an agent, in a task of its own that ends when it has it: the time, and the first
 * certificate. Both are tried again for ever; neither keeps a device that has a certificate from connecting.
 */
#ifndef JOIN_H
#define JOIN_H

#include <stdatomic.h>

#include "identity.h"
#include "settings.h"

struct join {
  struct identity *identity;
  const struct settings *settings;
  /* The identity is the task's until this is true. */
  atomic_bool enrolled;
  _Atomic(const char *) problem; /* static text; NULL: none */
};

/* 0 or OTA_ERR_SPACE. */
int flota_join_start(struct join *join, struct identity *identity, const struct settings *settings);

#endif
