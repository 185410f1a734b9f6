/** Any bytes as a patch, in portions, through a reset: nothing outside the two images is read or written, and it comes to an end. */
#include <stdlib.h>
#include <string.h>

#include "../patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Nothing, for a compressed image. */
static uint32_t old_bytes;
static uint32_t new_bytes, written;

static int read_old(void *ctx, uint32_t offset, uint8_t *target, size_t bytes) {
  (void)ctx;
  if (offset > old_bytes || bytes > old_bytes - offset || bytes > PATCH_BLOCK_BYTES) abort();
  memset(target, (int)(offset & 0xff), bytes);
  return 0;
}

static int write_new(void *ctx, uint32_t offset, const uint8_t *source, size_t bytes) {
  (void)ctx;
  (void)source;
  if (offset != written || bytes == 0 || bytes > new_bytes - offset) abort();
  written += (uint32_t)bytes;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct patch patch;
  const struct patch_io io = {.read = read_old, .write = write_new};
  if (size < 4) return 0;
  const size_t portion = (size_t)data[0] + 1;
  old_bytes = data[1] % 4 == 0 ? 0 : 3000;
  new_bytes = 1 + (uint32_t)data[1] * 32;
  written = 0;
  ota_patch_begin(&patch, old_bytes, new_bytes);
  data += 2;
  size -= 2;
  for (size_t at = 0;;) {
    size_t taken = 0;
    size_t bytes = size - at < portion ? size - at : portion;
    int result = ota_patch_feed(&patch, &io, 512, data + at, bytes, &taken);
    at += taken;
    if (result < 0 || (result == PATCH_OK && at == size)) break;
    if (result == PATCH_MORE && !ota_patch_resume(&patch, old_bytes, new_bytes)) abort();
  }
  if (ota_patch_is_done(&patch) && written != new_bytes) abort();
  return 0;
}
