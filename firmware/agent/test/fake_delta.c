#include "fake_delta.h"

#include "check.h"

static uint8_t patch[64 * 1024];

static void offer(struct fake *fake, const char *what) {
  fake->patch = patch;
  fake->offer = what;
  fake->limits.chunk_floor_bytes = 100;
  fake->limits.chunk_start_bytes = 200;
  fake->timing.checkpoint_ms = 0;
  fake->on_publish = fake_answer_fault;
  fake_request(fake, DEPLOYMENT, 1, "");
}

void fake_offer(struct fake *fake, int compression) {
  struct fake_piece pieces[2];
  struct fake_slot *factory = &fake->slots[0];
  uint32_t x = 9;
  factory->image.size = 6000;
  for (uint32_t i = 0; i < factory->image.size; i++) {
    x = x * 1664525u + 1013904223u;
    factory->data[i] = (uint8_t)(x >> 24);
  }
  fake_sha256(factory->data, factory->image.size, factory->image.sha256);
  fake->image_bytes = fake_release(factory->data, factory->image.size, fake->image, pieces);
  fake->patch_bytes = fake_patch(compression, factory->data, fake->image, fake->image_bytes, pieces, 2, patch, sizeof patch);
  offer(fake, "");
}

void fake_offer_compressed(struct fake *fake, int compression) {
  fake->image_bytes = 6400;
  for (uint32_t i = 0; i < fake->image_bytes; i++) fake->image[i] = (uint8_t)(i / 16 * 37);
  const struct fake_piece piece = {.extra_bytes = fake->image_bytes};
  fake->patch_bytes = fake_patch(compression, fake->slots[0].data, fake->image, fake->image_bytes, &piece, 1, patch, sizeof patch);
  offer(fake, "no base");
}

void fake_answer_fault(struct fake *fake, const char *topic, const char *payload) {
  if (strcmp(topic, PROGRESS) != 0 || !strstr(payload, "\"patch\":\"") || !strstr(payload, "\"urlExpired\":true")) return;
  fake->offer = NULL;
  fake_request(fake, DEPLOYMENT, 1, "");
}
