#ifndef ENROLMENT_H
#define ENROLMENT_H

#include "identity.h"
#include "settings.h"

/*
 * Gets the device its first certificate: a key made here, its CSR to POST enroll_url with the one-time token. Key and CSR are stored
 * before it asks, so that a token whose answer got lost can be used again. A refusal is told in the log, in one line.
 * 0, OTA_ERR_NETWORK, OTA_ERR_CERTIFICATE (refused, or an answer that does not fit), OTA_ERR_STORAGE, OTA_ERR_SPACE.
 */
int flota_enrolment_run(struct identity *identity, const struct settings *settings);

#endif
