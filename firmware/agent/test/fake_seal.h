/** A device whose server seals what it serves. */
#ifndef FAKE_SEAL_H
#define FAKE_SEAL_H

#include "fake.h"
#include "fake_aes.h"

/**
 * After fake_new, and after the image (or patch) to serve was made: what is served is sealed, and URLs bring its key. `fake->seal_flaw`: "wrong
 * device", "other deployment", "other image", "forged", "no point", "short": how the keys of URLs are of no use.
 */
void fake_seal(struct fake *fake);
/** The device can open sealed objects. */
void fake_seal_able(struct fake *fake);
/** Where chunk `index` of the sealed object is, to spoil it. */
uint8_t *fake_sealed_chunk(unsigned index);
/** Seals under `key`; bytes of the object. */
uint32_t fake_seal_object(const uint8_t *key, const uint8_t *plain, uint32_t bytes, uint8_t *object);

#endif
