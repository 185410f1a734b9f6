/** Numbers that make the agent patient: jittered back-off, random ids, chunk sizes. */
#ifndef OTA_PACE_H
#define OTA_PACE_H

#include "ota_port.h"

#define OTA_RANDOM_ID_CHARS 16u

/** Exponential back-off with jitter over its upper half, in ms. `tries` counts from 0. */
uint32_t ota_backoff_ms(const struct ota_port *port, uint32_t tries, uint32_t min_ms, uint32_t max_ms);

/** A new message id: 96 random bits, base64url. OTA_ERR_STORAGE: no random numbers, and an empty id. */
int ota_random_id(const struct ota_port *port, char id[OTA_RANDOM_ID_CHARS + 1]);

/** How much to ask for next: twice as much after a fast chunk, half after a slow or broken one. Bytes. */
uint32_t ota_next_chunk(uint32_t current, bool broken, uint64_t elapsed_ms, uint32_t fast_ms, uint32_t slow_ms,
                        uint32_t floor, uint32_t ceiling);

/** The earlier of two times; 0 means never. */
uint64_t ota_earlier(uint64_t one, uint64_t other);

#endif
