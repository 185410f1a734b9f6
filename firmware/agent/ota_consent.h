/** Asks the application before an image is installed, and again before the device reboots into it. */
#ifndef OTA_CONSENT_H
#define OTA_CONSENT_H

#include "ota_failure.h"

struct ota_agent;

struct ota_consent {
  /** Uptime: when the application is asked next, and when there is something to do at the latest. */
  uint64_t ask_at, due_at;
  /** Not before this, in milliseconds since 1970; -1: the application cannot say, or the time is not known. */
  int64_t until_ms;
  /** It has put it off, at least once. */
  bool deferred;
  char reason[OTA_FAILURE_MESSAGE_MAX + 1];
};

/** The stage says what is asked: a verified image may be installed, an installed one may be booted. */
void ota_consent_start(struct ota_agent *agent);
/** Goes on, waits or gives up; returns when there will be more to do. */
uint64_t ota_consent_poll(struct ota_agent *agent, uint64_t now);
/** `,"deferred":{…}` while the application puts it off, and `,"deferred":null` when that is over; else nothing. */
void ota_consent_write(const struct ota_agent *agent, struct ota_text *text);

#endif
