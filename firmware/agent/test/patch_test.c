/** The patcher alone: what detools writes, byte by byte, through resets, and what it must not take. */
#include "../patch.h"

#include "check.h"
#include "fake_patch.h"

enum { old_bytes = 9000, room = 12000, grain = 1024 };

/** Two images and the place between them; `damage`: the next write but so many fails. */
static struct bench {
  uint8_t old[old_bytes], wanted[room], made[room], patch[2 * room];
  uint32_t wanted_bytes, patch_bytes, written;
  bool read_fails, write_fails;
} bench;

static struct patch patch;

static int read_old(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  const struct bench *it = ctx;
  CHECK(offset <= old_bytes && bytes <= old_bytes - offset);
  if (it->read_fails) return -1;
  memcpy(data, it->old + offset, bytes);
  return 0;
}

static int write_new(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  struct bench *it = ctx;
  // In order, and nothing twice.
  CHECK(offset == it->written && bytes > 0 && bytes <= PATCH_BLOCK_BYTES && bytes <= it->wanted_bytes - offset);
  if (it->write_fails) return -1;
  memcpy(it->made + offset, data, bytes);
  it->written += (uint32_t)bytes;
  return 0;
}

static const struct patch_io io = {.ctx = &bench, .read = read_old, .write = write_new};

static void prepare(int compression) {
  struct fake_piece pieces[2];
  memset(&bench, 0, sizeof bench);
  uint32_t x = 5;
  for (uint32_t i = 0; i < old_bytes; i++) {
    x = x * 1664525u + 1013904223u;
    bench.old[i] = (uint8_t)(x >> 24);
  }
  bench.wanted_bytes = fake_release(bench.old, old_bytes, bench.wanted, pieces);
  bench.patch_bytes =
      fake_patch(compression, bench.old, bench.wanted, bench.wanted_bytes, pieces, 2, bench.patch, sizeof bench.patch);
  ota_patch_begin(&patch, old_bytes, bench.wanted_bytes);
}

/** Feeds the rest in portions of `portion`; at every grain `stop` may end this life. Returns the last result. */
static int feed(size_t portion, bool (*stop)(void)) {
  for (;;) {
    size_t left = bench.patch_bytes - patch.state.taken;
    size_t taken = 0;
    size_t bytes = left < portion ? left : portion;
    int result = ota_patch_feed(&patch, &io, grain, bench.patch + patch.state.taken, bytes, &taken);
    if (result < 0 || (result == PATCH_OK && left == bytes)) return result;
    if (result == PATCH_MORE) CHECK(ota_patch_is_aligned(&patch) && patch.state.made % grain == 0);
    if (result == PATCH_MORE && stop && stop()) return result;
  }
}

static void check_made(void) {
  CHECK(ota_patch_is_done(&patch) && bench.written == bench.wanted_bytes);
  CHECK(memcmp(bench.made, bench.wanted, bench.wanted_bytes) == 0);
}

static void applies_each_kind(void) {
  static const int kinds[] = {fake_plain, fake_crle, fake_heatshrink};
  for (unsigned i = 0; i < 3; i++) {
    for (size_t portion = 1; portion < 5000; portion = portion * 3 + 1) {
      prepare(kinds[i]);
      CHECK(feed(portion, NULL) == PATCH_OK);
      check_made();
    }
    CHECK(kinds[i] == fake_plain || bench.patch_bytes < bench.wanted_bytes / 8);
  }
}

static struct patch_state stored;

/** All memory is lost but what was stored at this grain. */
static bool lose_power(void) {
  stored = patch.state;
  memset(&patch, 0xa5, sizeof patch);
  patch.state = stored;
  CHECK(ota_patch_resume(&patch, old_bytes, bench.wanted_bytes));
  return false;
}

static void goes_on_after_a_reset(void) {
  static const int kinds[] = {fake_plain, fake_crle, fake_heatshrink};
  for (unsigned i = 0; i < 3; i++) {
    prepare(kinds[i]);
    CHECK(feed(3, lose_power) == PATCH_OK);
    check_made();
  }
}

static void knows_what_it_stored(void) {
  prepare(fake_heatshrink);
  CHECK(feed(100, NULL) == PATCH_OK);
  CHECK(ota_patch_resume(&patch, old_bytes, bench.wanted_bytes) && !ota_patch_resume(&patch, old_bytes - 1, bench.wanted_bytes));
  CHECK(!ota_patch_resume(&patch, old_bytes, bench.wanted_bytes + 1));
  // Any bytes as a stored state are refused, or do no harm.
  uint32_t x = 1;
  prepare(fake_crle);
  for (int round = 0; round < 3000; round++) {
    ota_patch_begin(&patch, old_bytes, bench.wanted_bytes);
    for (size_t i = 0; i < sizeof patch.state; i++) {
      x = x * 1664525u + 1013904223u;
      ((uint8_t *)&patch.state)[i] = (uint8_t)(x >> (round % 2 ? 24 : 29));
    }
    patch.state.old_bytes = old_bytes;
    patch.state.new_bytes = bench.wanted_bytes;
    patch.state.made = bench.written = (x >> 8) % bench.wanted_bytes;
    patch.state.left %= room;
    patch.state.old_at %= old_bytes;
    patch.state.taken = 0;
    if (ota_patch_resume(&patch, old_bytes, bench.wanted_bytes)) (void)feed(64, NULL);
  }
}

/** Those of DELTA.md. */
static void applies_the_vectors(void) {
  static const uint8_t plain[] = {0x00, 0x03, 0x00, 0x03, 0x01, 0x01, 0x01, 0x00, 0x00};
  static const uint8_t crle[] = {0x02, 0x08, 0x00, 0x02, 0x00, 0x08, 0x01, 0x08, 0x01, 0x00, 0x02, 0x00, 0x00};
  static const uint8_t heatshrink[] = {0x04, 0x08, 0x61, 0x80, 0x42, 0x20, 0x20, 0x01, 0xa0, 0x10, 0x00};
  static const struct {
    const uint8_t *patch;
    uint32_t bytes, images;
  } vectors[] = {{plain, sizeof plain, 3}, {crle, sizeof crle, 8}, {heatshrink, sizeof heatshrink, 8}};
  for (unsigned i = 0; i < 3; i++) {
    memset(&bench, 0, sizeof bench);
    for (uint32_t at = 0; at < 8; at++) {
      bench.old[at] = (uint8_t)(at + 1);
      bench.wanted[at] = (uint8_t)(at + 2);
    }
    memcpy(bench.patch, vectors[i].patch, vectors[i].bytes);
    bench.patch_bytes = vectors[i].bytes;
    bench.wanted_bytes = vectors[i].images;
    ota_patch_begin(&patch, vectors[i].images, vectors[i].images);
    CHECK(feed(2, NULL) == PATCH_OK);
    check_made();
  }
}

static void refuses_another(void) {
  // Type in place, lzma, a size of another image, a window of 2^11, one processor's code.
  static const uint8_t heads[][4] = {{0x10, 1, 0, 0}, {1, 1, 0, 0}, {0, 5, 0, 0}, {0x84, 1, 0, 0}};
  for (unsigned i = 0; i < 4; i++) {
    prepare(fake_plain);
    memcpy(bench.patch, heads[i], 4);
    CHECK(feed(7, NULL) == PATCH_ERR_BROKEN && bench.written == 0);
  }
  prepare(fake_heatshrink);
  // The sizes of heatshrink stand after the head of 1 byte and a number of 3.
  bench.patch[4] = 0x75;
  CHECK(feed(7, NULL) == PATCH_ERR_BROKEN && bench.written == 0);
  prepare(fake_plain);
  bench.patch[4] = 1;
  CHECK(feed(7, NULL) == PATCH_ERR_BROKEN && bench.written == 0);
}

static void refuses_what_reaches_outside(void) {
  static const struct fake_piece wrong[] = {{old_bytes, 200, -9001}, {old_bytes, 200, 1}};
  for (unsigned i = 0; i < 2; i++) {
    prepare(fake_plain);
    bench.patch_bytes = fake_patch(fake_plain, bench.old, bench.wanted, bench.wanted_bytes, &wrong[i], 1, bench.patch, sizeof bench.patch);
    CHECK(feed(50, NULL) == PATCH_ERR_BROKEN);
  }
  // More old bytes than there are; more new ones than the image has.
  prepare(fake_plain);
  ota_patch_begin(&patch, old_bytes / 8, bench.wanted_bytes);
  CHECK(feed(50, NULL) == PATCH_ERR_BROKEN);
  static const struct fake_piece long_one[] = {{old_bytes, room, 0}};
  prepare(fake_plain);
  bench.patch_bytes = fake_patch(fake_plain, bench.old, bench.wanted, bench.wanted_bytes, long_one, 1, bench.patch, sizeof bench.patch);
  CHECK(feed(50, NULL) == PATCH_ERR_BROKEN);
}

/** Without the limit 268 million of zeros would be read as pieces of nothing, for minutes, while the device does nothing else. */
static void is_not_kept_busy_by_nothing(void) {
  prepare(fake_crle);
  // One run of zeros behind the head.
  static const uint8_t nothing[] = {1, 0xff, 0xff, 0xff, 0x7f, 0};
  memcpy(bench.patch + 4, nothing, sizeof nothing);
  bench.patch_bytes = 4 + sizeof nothing;
  CHECK(feed(50, NULL) == PATCH_ERR_BROKEN && bench.written == 0);
}

static void tells_a_broken_one(void) {
  prepare(fake_heatshrink);
  bench.patch[bench.patch_bytes++] = 0;
  CHECK(feed(100, NULL) == PATCH_ERR_BROKEN);
  prepare(fake_heatshrink);
  bench.patch_bytes -= 2;
  CHECK(feed(100, NULL) == PATCH_OK && !ota_patch_is_done(&patch));
  prepare(fake_heatshrink);
  bench.read_fails = true;
  CHECK(feed(100, NULL) == PATCH_ERR_STORAGE);
  prepare(fake_heatshrink);
  bench.write_fails = true;
  CHECK(feed(100, NULL) == PATCH_ERR_STORAGE);
}

static const struct test tests[] = {
    {"a patch of each compression makes the image, in portions of any size", applies_each_kind},
    {"the vectors of the specification make what they say", applies_the_vectors},
    {"a patch goes on at the very byte after a reset at any grain", goes_on_after_a_reset},
    {"what is stored of a patch is believed only for the same images, and does no harm when it is damaged", knows_what_it_stored},
    {"a patch of another type, compression, window or image is refused before anything is written", refuses_another},
    {"a patch that reaches outside of an image is broken", refuses_what_reaches_outside},
    {"pieces of nothing end the patch", is_not_kept_busy_by_nothing},
    {"a patch that is cut off, goes on, or meets failing storage says so", tells_a_broken_one},
};

RUN_TESTS(tests)
