#include "patch.h"

#include <string.h>

/** Where in the patch the next byte is. The first three are not compressed. */
enum step { TYPE = 0, SIZE, WINDOW, FORMAT, DIFF_SIZE, DIFF, EXTRA_SIZE, EXTRA, ADJUSTMENT, DONE };
enum compression { PLAIN = 0, CRLE = 2, HEATSHRINK = 4 };
/** Where in a run of crle. */
enum run_step { RUN_KIND = 0, RUN_LENGTH, RUN_VALUE, RUN_REPEATED, RUN_SCATTERED };
/** The format allows pieces of nothing; so many in a row would only keep the processor busy. */
enum { empty_max = 4, number_shift_max = 27 };

/** Bytes that come in; `at` is the next one. */
struct input {
  const uint8_t *data;
  size_t bytes, at;
};

void ota_patch_begin(struct patch *patch, uint32_t old_bytes, uint32_t new_bytes) {
  memset(patch, 0, sizeof *patch);
  patch->state.old_bytes = old_bytes;
  patch->state.new_bytes = new_bytes;
}

bool ota_patch_resume(struct patch *patch, uint32_t old_bytes, uint32_t new_bytes) {
  const struct patch_state *it = &patch->state;
  patch->filled = patch->fetched = 0;
  return it->old_bytes == old_bytes && it->new_bytes == new_bytes && it->made <= new_bytes &&
         it->left <= new_bytes - it->made && (it->left > 0 || (it->step != DIFF && it->step != EXTRA)) &&
         it->step <= DONE && it->old_at <= old_bytes && it->bit_count < 32 &&
         it->window_bits <= PATCH_WINDOW_BITS && it->length_bits <= PATCH_WINDOW_BITS;
}

bool ota_patch_is_aligned(const struct patch *patch) { return patch->filled == 0; }

bool ota_patch_is_done(const struct patch *patch) {
  return patch->state.step == DONE && patch->state.made == patch->state.new_bytes;
}

/** A byte of a number of the patch: sign and 6 bits, then 7 bits each, lowest first. 1: it was the last. */
static int take_number(struct patch_state *it, uint8_t byte) {
  uint32_t bits = byte & 0x7f;
  if (it->shift == 0) {
    it->number = 0;
    it->negative = (byte & 0x40) != 0;
    bits = byte & 0x3f;
  }
  if (it->shift > number_shift_max || (it->shift == number_shift_max && bits > 31)) return PATCH_ERR_BROKEN;
  it->number |= bits << it->shift;
  it->shift = (uint8_t)(it->shift + (it->shift == 0 ? 6 : 7));
  if (byte & 0x80) return 0;
  it->shift = 0;
  return 1;
}

/** The bytes behind a size: no more than the new image has room for. */
static int take_size(struct patch *patch, uint8_t piece, uint8_t after) {
  struct patch_state *it = &patch->state;
  uint32_t room = it->new_bytes - it->made - patch->filled;
  if ((it->negative && it->number > 0) || it->number > room) return PATCH_ERR_BROKEN;
  it->left = it->number;
  it->step = it->left > 0 ? piece : after;
  it->empty = it->left > 0 ? 0 : (uint8_t)(it->empty + 1);
  return it->empty > empty_max ? PATCH_ERR_BROKEN : PATCH_OK;
}

static int adjust(struct patch *patch) {
  struct patch_state *it = &patch->state;
  uint32_t room = it->negative ? it->old_at : it->old_bytes - it->old_at;
  if (it->number > room) return PATCH_ERR_BROKEN;
  it->old_at = it->negative ? it->old_at - it->number : it->old_at + it->number;
  it->step = it->made + patch->filled == it->new_bytes ? DONE : DIFF_SIZE;
  return PATCH_OK;
}

/** Old bytes for as much of the piece of difference as the block has room for. */
static int fetch(struct patch *patch, const struct patch_io *io) {
  struct patch_state *it = &patch->state;
  uint32_t bytes = PATCH_BLOCK_BYTES - patch->filled;
  if (bytes > it->left) bytes = it->left;
  if (bytes > it->old_bytes - it->old_at) return PATCH_ERR_BROKEN;
  if (io->read(io->ctx, it->old_at, patch->block + patch->filled, bytes) != 0) return PATCH_ERR_STORAGE;
  it->old_at += bytes;
  patch->fetched = (uint16_t)(patch->filled + bytes);
  return PATCH_OK;
}

/** One byte of the new image, of which `byte` is the difference or all. PATCH_MORE at the end of a grain. */
static int make(struct patch *patch, const struct patch_io *io, uint32_t grain, uint8_t byte) {
  struct patch_state *it = &patch->state;
  if (it->step == DIFF) {
    int error = patch->filled < patch->fetched ? PATCH_OK : fetch(patch, io);
    if (error != PATCH_OK) return error;
    byte = (uint8_t)(byte + patch->block[patch->filled]);
  }
  patch->block[patch->filled++] = byte;
  if (--it->left == 0) it->step++;
  if (patch->filled < PATCH_BLOCK_BYTES && it->made + patch->filled < it->new_bytes) return PATCH_OK;
  if (io->write(io->ctx, it->made, patch->block, patch->filled) != 0) return PATCH_ERR_STORAGE;
  it->made += patch->filled;
  patch->filled = patch->fetched = 0;
  return it->made % grain == 0 ? PATCH_MORE : PATCH_OK;
}

/** The head of the patch, byte by byte. */
static int take_head(struct patch_state *it, uint8_t byte) {
  int end = 1;
  switch (it->step) {
    case TYPE:
      it->compression = byte & 15;
      if (byte >> 4 != 0 || (byte != PLAIN && byte != CRLE && byte != HEATSHRINK)) return PATCH_ERR_BROKEN;
      it->step = SIZE;
      return PATCH_OK;
    case SIZE:
      end = take_number(it, byte);
      if (end <= 0) return end;
      if (it->negative || it->number != it->new_bytes) return PATCH_ERR_BROKEN;
      it->step = it->compression == HEATSHRINK ? WINDOW : FORMAT;
      return PATCH_OK;
    default:
      it->window_bits = (uint8_t)((byte >> 4) + 4);
      it->length_bits = (uint8_t)((byte & 15) + 3);
      if (it->window_bits > PATCH_WINDOW_BITS || it->length_bits >= it->window_bits) return PATCH_ERR_BROKEN;
      it->step = FORMAT;
      return PATCH_OK;
  }
}

static int take_byte(struct patch *patch, const struct patch_io *io, uint32_t grain, uint8_t byte) {
  struct patch_state *it = &patch->state;
  if (it->step == DIFF || it->step == EXTRA) return make(patch, io, grain, byte);
  int end = take_number(it, byte);
  if (end <= 0) return end;
  switch (it->step) {
    case FORMAT:
      // Code of one processor, rewritten before the difference is taken: nobody here knows it.
      if (it->number != 0) return PATCH_ERR_BROKEN;
      it->step = DIFF_SIZE;
      return PATCH_OK;
    case DIFF_SIZE:
      return take_size(patch, DIFF, EXTRA_SIZE);
    case EXTRA_SIZE:
      return take_size(patch, EXTRA, ADJUSTMENT);
    default:
      return adjust(patch);
  }
}

/** Runs of equal bytes, and bytes as they are. 1: `*byte` is the next; 0: it wants more. */
static int unpack_crle(struct patch_state *it, struct input *in, uint8_t *byte) {
  for (;;) {
    if (it->run_step == RUN_REPEATED && it->run > 0) {
      it->run--;
      *byte = it->run_byte;
      return 1;
    }
    if (it->run_step >= RUN_REPEATED && it->run == 0) it->run_step = RUN_KIND;
    if (in->at == in->bytes) return 0;
    uint8_t next = in->data[in->at++];
    switch (it->run_step) {
      case RUN_KIND:
        if (next > 1) return PATCH_ERR_BROKEN;
        it->run_byte = next;
        it->bit_count = 0;
        it->run_step = RUN_LENGTH;
        break;
      case RUN_LENGTH:
        if (it->bit_count > 21) return PATCH_ERR_BROKEN;
        it->run |= (uint32_t)(next & 0x7f) << it->bit_count;
        it->bit_count = (uint8_t)(it->bit_count + 7);
        if (next & 0x80) break;
        it->run_step = it->run_byte ? RUN_VALUE : RUN_SCATTERED;
        break;
      case RUN_VALUE:
        it->run_byte = next;
        it->run_step = RUN_REPEATED;
        break;
      default:
        it->run--;
        *byte = next;
        return 1;
    }
  }
}

/** LZSS: a bit 1 and a byte, or 0, how far back, and how many. As above. */
static int unpack_heatshrink(struct patch_state *it, struct input *in, uint8_t *byte) {
  const uint32_t mask = (1u << it->window_bits) - 1;
  if (it->run == 0) {
    unsigned wanted = 1;
    for (;;) {
      if (it->bit_count > 0)
        wanted = it->bits >> (it->bit_count - 1) & 1 ? 9 : 1u + it->window_bits + it->length_bits;
      if (it->bit_count >= wanted) break;
      if (in->at == in->bytes) return 0;
      it->bits = it->bits << 8 | in->data[in->at++];
      it->bit_count = (uint8_t)(it->bit_count + 8);
    }
    it->bit_count = (uint8_t)(it->bit_count - wanted);
    uint32_t code = it->bits >> it->bit_count & ((1u << wanted) - 1);
    if (wanted == 9 && code >> 8) {
      *byte = (uint8_t)code;
      it->window[it->head++ & mask] = *byte;
      return 1;
    }
    it->run = (code & ((1u << it->length_bits) - 1)) + 1;
    it->back = (uint16_t)((code >> it->length_bits) + 1);
  }
  it->run--;
  *byte = it->window[(uint32_t)(it->head - it->back) & mask];
  it->window[it->head++ & mask] = *byte;
  return 1;
}

static int unpack(struct patch_state *it, struct input *in, uint8_t *byte) {
  if (it->step > WINDOW && it->compression == HEATSHRINK) return unpack_heatshrink(it, in, byte);
  if (it->step > WINDOW && it->compression == CRLE) return unpack_crle(it, in, byte);
  if (in->at == in->bytes) return 0;
  *byte = in->data[in->at++];
  return 1;
}

int ota_patch_feed(struct patch *patch, const struct patch_io *io, uint32_t grain, const uint8_t *data, size_t bytes, size_t *taken) {
  struct patch_state *it = &patch->state;
  struct input in = {.data = data, .bytes = bytes};
  uint8_t byte = 0;
  int result = PATCH_OK;
  while (result == PATCH_OK && it->step != DONE) {
    int got = unpack(it, &in, &byte);
    if (got <= 0) {
      result = got;
      break;
    }
    result = it->step <= WINDOW ? take_head(it, byte) : take_byte(patch, io, grain, byte);
  }
  // Whatever follows the end is no part of it.
  if (result == PATCH_OK && it->step == DONE && in.at < bytes) result = PATCH_ERR_BROKEN;
  it->taken += (uint32_t)in.at;
  *taken = in.at;
  return result;
}
