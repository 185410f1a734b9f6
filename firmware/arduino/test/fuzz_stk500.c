/*
 * Any bytes as a boot loader's answers, in pieces and with silences: the programmer ends within its time, reads within its
 * bounds, and calls nothing verified or done that did not come back over the line as the image is.
 */
#include <stdlib.h>
#include <string.h>

#include "stk500.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IMAGE_BYTES = 3 * STK500_PAGE_BYTES + 10 };

struct peer {
  const uint8_t *data;
  size_t left;
  uint32_t now_ms;
  uint8_t image[IMAGE_BYTES];
  uint32_t verified;
  /* An obliging boot loader answers what the fuzzer does not; else no input would get far. */
  uint8_t reply[160];
  size_t reply_at;
  size_t reply_size;
  uint32_t address;
  uint8_t flash[1024];
};

static uint8_t next(struct peer *peer) {
  if (peer->left == 0) return 0;
  peer->left--;
  return *peer->data++;
}

static void reply(struct peer *peer, const uint8_t *data, size_t size) {
  peer->reply[0] = 0x14;
  if (size > 0) memcpy(peer->reply + 1, data, size);
  peer->reply[size + 1] = 0x10;
  peer->reply_at = 0;
  peer->reply_size = size + 2;
}

static int write_bytes(void *context, const uint8_t *data, size_t size) {
  struct peer *peer = context;
  static const uint8_t signature[3] = {0x1E, 0x95, 0x0F};
  if (size == 0 || size > 5 + STK500_PAGE_BYTES || data[size - 1] != 0x20) abort();
  if (data[0] == 0x55) peer->address = 2U * (data[1] | (uint32_t)data[2] << 8);
  if (data[0] == 0x64) memcpy(peer->flash + peer->address % 896, data + 4, STK500_PAGE_BYTES);
  if (data[0] == 0x74) reply(peer, peer->flash + peer->address % 896, STK500_PAGE_BYTES);
  else if (data[0] == 0x75) reply(peer, signature, sizeof signature);
  else reply(peer, NULL, 0);
  return next(peer) == 0xFE ? -1 : 0;
}

/* The fuzzer's byte: 0 to 199 the obliging answer, as many bytes as fit; then its own byte, a single one, silence, a break. */
static int read_bytes(void *context, uint8_t *data, size_t size, uint32_t timeout_ms) {
  struct peer *peer = context;
  if (size == 0 || timeout_ms == 0) abort();
  const uint8_t choice = next(peer);
  if (choice >= 200 && choice < 230) {
    data[0] = next(peer);
    peer->now_ms += 1;
    return 1;
  }
  const size_t waiting = peer->reply_size - peer->reply_at;
  if (choice == 255) return -1;
  if (choice >= 245 || waiting == 0) {
    peer->now_ms += timeout_ms;
    return 0;
  }
  size_t n = choice >= 230 ? 1 : waiting;
  if (n > size) n = size;
  memcpy(data, peer->reply + peer->reply_at, n);
  peer->reply_at += n;
  peer->now_ms += 1;
  return (int)n;
}

static int reset(void *context) {
  struct peer *peer = context;
  peer->reply_at = peer->reply_size = 0;
  return 0;
}

static uint32_t now_ms(void *context) { return ((struct peer *)context)->now_ms; }

static int read_image(void *context, uint32_t offset, uint8_t *data, size_t size) {
  const struct peer *peer = context;
  if (offset + size > IMAGE_BYTES) abort();
  memcpy(data, peer->image + offset, size);
  return 0;
}

static int verified(void *context, uint32_t offset, const uint8_t *data, size_t size) {
  struct peer *peer = context;
  if (offset == 0) peer->verified = 0;
  if (offset != peer->verified || memcmp(data, peer->image + offset, size) != 0) abort();
  peer->verified += (uint32_t)size;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct peer peer = {.data = data, .left = size, .now_ms = UINT32_MAX - 500};
  for (size_t i = 0; i < IMAGE_BYTES; i++) peer.image[i] = (uint8_t)(i * 7);
  peer.image[0] = 0x0C;
  peer.image[1] = 0x94;
  const struct stk500_line line = {.context = &peer, .write = write_bytes, .read = read_bytes, .reset = reset, .now_ms = now_ms};
  const struct stk500_image image = {.context = &peer, .size_bytes = IMAGE_BYTES, .read = read_image, .verified = verified};
  const uint32_t started = peer.now_ms;
  struct stk500_report report;
  const int error = stk500_flash(&line, &image, &report);
  if (error > 0 || error < STK500_ERR_VERIFY || strcmp(stk500_error_name(error), "unknown") == 0) abort();
  if (error == STK500_OK && peer.verified != IMAGE_BYTES) abort();
  if (report.attempts > 3 || peer.now_ms - started > 120000) abort();
  return 0;
}
