#include "fake_patch.h"

#include <string.h>

#include "check.h"

struct out {
  uint8_t *data;
  uint32_t bytes, capacity;
  /** Of heatshrink: bits that do not make a byte yet. */
  uint32_t bits;
  unsigned bit_count;
};

static void put(struct out *out, uint32_t byte) {
  CHECK(out->bytes < out->capacity);
  out->data[out->bytes++] = (uint8_t)byte;
}

static void put_number(struct out *out, int32_t value) {
  uint32_t rest = value < 0 ? (uint32_t)-value : (uint32_t)value;
  uint32_t byte = (value < 0 ? 0x40u : 0u) | (rest & 0x3f);
  for (rest >>= 6; rest > 0; rest >>= 7) {
    put(out, byte | 0x80);
    byte = rest & 0x7f;
  }
  put(out, byte);
}

static void put_bits(struct out *out, uint32_t value, unsigned count) {
  for (unsigned i = count; i-- > 0;) {
    out->bits = out->bits << 1 | (value >> i & 1);
    if (++out->bit_count < 8) continue;
    put(out, out->bits & 0xff);
    out->bits = out->bit_count = 0;
  }
}

static void shrink(struct out *out, const uint8_t *text, uint32_t bytes) {
  enum { window_bits = 8, length_bits = 7, longest = 128 };
  put(out, (window_bits - 4) << 4 | (length_bits - 3));
  for (uint32_t at = 0; at < bytes;) {
    uint32_t run = 0;
    while (at > 0 && run < longest && at + run < bytes && text[at + run] == text[at - 1]) run++;
    if (run > 1) {
      put_bits(out, 0, 1 + window_bits);
      put_bits(out, run - 1, length_bits);
      at += run;
    } else {
      put_bits(out, 0x100u | text[at++], 9);
    }
  }
  if (out->bit_count > 0) put_bits(out, 0, 8 - out->bit_count);
}

static void put_run(struct out *out, uint32_t kind, uint32_t bytes) {
  put(out, kind);
  for (; bytes > 0x7f; bytes >>= 7) put(out, (bytes & 0x7f) | 0x80);
  put(out, bytes);
}

static void shorten(struct out *out, const uint8_t *text, uint32_t bytes) {
  uint32_t from = 0;
  for (uint32_t at = 0; at <= bytes;) {
    uint32_t end = at;
    while (end < bytes && text[end] == text[at]) end++;
    if (end - at < 6 && at < bytes) {
      at = end;
      continue;
    }
    if (at > from) put_run(out, 0, at - from);
    for (; from < at; from++) put(out, text[from]);
    if (at == bytes) break;
    put_run(out, 1, end - at);
    put(out, text[at]);
    from = at = end;
  }
}

uint32_t fake_patch(int compression, const uint8_t *old, const uint8_t *made, uint32_t made_bytes, const struct fake_piece *pieces,
                    size_t count, uint8_t *patch, uint32_t capacity) {
  static uint8_t text[192 * 1024];
  struct out plain = {.data = text, .capacity = sizeof text};
  struct out out = {.data = patch, .capacity = capacity};
  put_number(&plain, 0);
  for (size_t i = 0; i < count; i++) {
    put_number(&plain, (int32_t)pieces[i].diff_bytes);
    for (uint32_t k = 0; k < pieces[i].diff_bytes; k++) put(&plain, (uint8_t)(*made++ - *old++));
    put_number(&plain, (int32_t)pieces[i].extra_bytes);
    for (uint32_t k = 0; k < pieces[i].extra_bytes; k++) put(&plain, *made++);
    put_number(&plain, pieces[i].adjustment);
    old += pieces[i].adjustment;
  }
  put(&out, (uint32_t)compression);
  put_number(&out, (int32_t)made_bytes);
  if (compression == fake_heatshrink) shrink(&out, text, plain.bytes);
  else if (compression == fake_crle) shorten(&out, text, plain.bytes);
  else
    for (uint32_t i = 0; i < plain.bytes; i++) put(&out, text[i]);
  return out.bytes;
}

uint32_t fake_release(const uint8_t *old, uint32_t old_bytes, uint8_t *made, struct fake_piece pieces[2]) {
  const uint32_t kept = old_bytes / 4;
  const uint32_t fresh = 300;
  // What follows is found again 100 bytes before where it would go on.
  const uint32_t rest = old_bytes - kept + 100;
  memcpy(made, old, kept);
  for (uint32_t i = 0; i < fresh; i++) made[kept + i] = (uint8_t)(i * 7 + 3);
  memcpy(made + kept + fresh, old + kept - 100, rest);
  for (uint32_t i = 0; i < rest; i += 61) made[kept + fresh + i] += 4;
  pieces[0] = (struct fake_piece){kept, fresh, -100};
  pieces[1] = (struct fake_piece){rest, 0, 0};
  return kept + fresh + rest;
}
