/** Patches whose pieces a test has thought of: written as detools writes them, so that no file is needed. */
#ifndef FAKE_PATCH_H
#define FAKE_PATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { fake_plain = 0, fake_crle = 2, fake_heatshrink = 4 };

/** One round of the format: difference to the old image, new bytes, and where the old one goes on. */
struct fake_piece {
  uint32_t diff_bytes, extra_bytes;
  int32_t adjustment;
};

/**
 * The patch from `old` to `made` (of `made_bytes`) by these pieces; returns its bytes. The window of heatshrink is 2^8, copies are runs
 * of one byte.
 */
uint32_t fake_patch(int compression, const uint8_t *old, const uint8_t *made, uint32_t made_bytes, const struct fake_piece *pieces,
                    size_t count, uint8_t *patch, uint32_t capacity);

/** A release as a linker makes one: code has moved, addresses in it have changed. Returns the bytes of `made`; two pieces. */
uint32_t fake_release(const uint8_t *old, uint32_t old_bytes, uint8_t *made, struct fake_piece pieces[2]);

#endif
