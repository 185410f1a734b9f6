/* Who the device is: key pairs made on the device, which never leave it, and the certificates for them. One NVS blob, so that a
 * key and its certificate always belong together. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "ota_port.h"

enum { IDENTITY_KEY_BYTES = 384, IDENTITY_CERTIFICATES_BYTES = 4096 };

struct identity_pair {
  char key[IDENTITY_KEY_BYTES];                   /* PEM; "" when there is none */
  char certificates[IDENTITY_CERTIFICATES_BYTES]; /* PEM, leaf first, no root; "" until issued */
};

struct identity {
  const char *id;
  struct identity_pair pairs[2]; /* by enum ota_key_pair; OTA_PAIR_NEW is the renewal under way */
};

/* 0 (also when there is none yet) or OTA_ERR_STORAGE. */
int flota_identity_load(struct identity *identity);
bool flota_identity_enrolled(const struct identity *identity);

/* As the port's cert_… callbacks. `pair` says whose key: OTA_PAIR_CURRENT enrols. */
int flota_identity_request(struct identity *identity, enum ota_key_pair pair, char *csr, size_t capacity);
/* The request of enrolment: the very same text until it is answered, so that a one-time token that was used up by an answer which got
 * lost still holds. */
int flota_identity_first_request(struct identity *identity, char *csr, size_t capacity);
int flota_identity_store(struct identity *identity, enum ota_key_pair pair, const char *certificate, const char *chain);
enum ota_renewal_state flota_identity_renewal(const struct identity *identity);
int flota_identity_promote(struct identity *identity);
int flota_identity_drop(struct identity *identity);
int flota_identity_validity(const struct identity *identity, struct ota_validity *validity);

#endif
