/**
 * Certificate renewal. Every step is one atomic write of the port, and each can be the last before the power goes: a new
 * key; its certificate beside it; the new pair instead of the old one, once it has connected.
 */
#ifndef OTA_RENEWAL_H
#define OTA_RENEWAL_H

#include "ota_inbox.h"

struct ota_agent;

struct ota_renewal {
  uint64_t check_at;
  /** Not before this is another request sent. */
  uint64_t wait_until;
  uint32_t failed_connects;
};

/** When it wants renewing (ms since 1970): 30 days before its end, but not before two thirds of its life are over. */
int64_t ota_renewal_due_ms(const struct ota_validity *validity);

/** Asks for a certificate when it is time, or again when no answer came. OTA_ERR_STORAGE. */
int ota_renewal_check(struct ota_agent *agent, uint64_t now);
int ota_renewal_answered(struct ota_agent *agent, const struct ota_certificate *answer);

/** The pair for the next connect: the new one, but the old one after the new one has failed a few times. */
enum ota_key_pair ota_renewal_pair(const struct ota_agent *agent);
int ota_renewal_connected(struct ota_agent *agent, enum ota_key_pair pair);
/** A broker was reached and did not let this pair in. */
void ota_renewal_refused(struct ota_agent *agent, enum ota_key_pair pair);

#endif
