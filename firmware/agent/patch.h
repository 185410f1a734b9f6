/**
 * @file
 * Applies a patch as a stream: bytes of the patch go in as they come, bytes of the new image come out in order, and the old image is read
 * wherever the patch wants it. The format is that of detools, sequential (../DELTA.md). Portable, no allocation, no libc but memcpy.
 *
 * What is inside is plain data without pointers: stored as it is while ota_patch_is_aligned says so, and put back after a reset, it goes on at that
 * very byte. Nothing that a patch, or a damaged store, says reaches outside the old image, the new one, or this memory.
 */
#ifndef PATCH_H
#define PATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Largest window of heatshrink that is taken: 2 to the power of it, in bytes of memory and of what is stored. */
#define PATCH_WINDOW_BITS 10u
/** Bytes of the new image that are written at once. */
#define PATCH_BLOCK_BYTES 256u

/** What ota_patch_feed returns. */
enum patch_result {
  /** It wants more bytes. */
  PATCH_OK = 0,
  /** It stopped at a multiple of the grain, and goes on when it is called again, with the bytes that it did not take. */
  PATCH_MORE = 1,
  /** It is none, of another type, or contradicts itself or the images. */
  PATCH_ERR_BROKEN = -1,
  /** A callback has failed. */
  PATCH_ERR_STORAGE = -2,
};

/** Both return 0, or anything else: it could not be done. */
struct patch_io {
  void *ctx; /**< Given to each callback. */
  /** A piece of the old image; never beyond its end. */
  int (*read)(void *ctx, uint32_t offset, uint8_t *data, size_t bytes);
  /** The next piece of the new image, at most PATCH_BLOCK_BYTES. */
  int (*write)(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes);
};

/** What lives through a reset. */
struct patch_state {
  /** @cond PRIVATE */
  /** Bytes of the patch that are used up, and of the new image that are written. */
  uint32_t taken, made;
  uint32_t old_bytes, new_bytes;
  /** Where the old image is read next. */
  uint32_t old_at;
  /** Of the piece of difference, or of new bytes. */
  uint32_t left;
  /** The number that is being read. */
  uint32_t number;
  /** Of heatshrink: bits that have come and are not used. */
  uint32_t bits;
  /** Of a run of crle, or a copy of heatshrink: so many bytes are still to come. */
  uint32_t run;
  /** Of heatshrink: where the window is written next, and how far back a copy begins. */
  uint16_t head, back;
  uint8_t step, shift, negative, empty;
  uint8_t compression, window_bits, length_bits, bit_count;
  uint8_t run_step, run_byte;
  uint8_t spare[2];
  uint8_t window[1u << PATCH_WINDOW_BITS];
  /** @endcond */
};

/** Declared by its owner; set to nothing by ota_patch_begin. */
struct patch {
  /** @cond PRIVATE */
  struct patch_state state;
  /** Of the new image after state.made: so many are known; in a piece of difference, of so many the old bytes are there. */
  uint16_t filled, fetched;
  uint8_t block[PATCH_BLOCK_BYTES];
  /** @endcond */
};

/** From `old_bytes` of the old image to exactly `new_bytes`, which must be more than 0. */
void ota_patch_begin(struct patch *patch, uint32_t old_bytes, uint32_t new_bytes);

/** Goes on from what was stored of an earlier life (in patch->state). False: it cannot have been stored by this program. */
bool ota_patch_resume(struct patch *patch, uint32_t old_bytes, uint32_t new_bytes);

/**
 * Takes bytes of the patch, and sets `*taken` to how many. It stops where the bytes of the new image that are written become a multiple of
 * `grain` (itself one of PATCH_BLOCK_BYTES), so that a call does a bounded piece of work, however much a few bytes stand for.
 */
int ota_patch_feed(struct patch *patch, const struct patch_io *io, uint32_t grain, const uint8_t *data, size_t bytes, size_t *taken);

/** All that was made is written: patch->state may be stored. */
bool ota_patch_is_aligned(const struct patch *patch);

/** The whole image is written, and the patch has come to its end. */
bool ota_patch_is_done(const struct patch *patch);

#endif
