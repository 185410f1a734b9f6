/** Updates by patch: what is downloaded, what is told, and every way back to the whole image. */
#include <inttypes.h>

#include "check.h"
#include "fake_delta.h"

static bool has_result(struct fake *fake) { return fake_is_quiet(fake) && fake_said(fake, RESULT, "") > 0; }

static void check_updated(struct fake *fake, const char *patch) {
  char told[64];
  snprintf(told, sizeof told, "\"patch\":\"%s\"", patch);
  CHECK(fake_runs_new_image(fake) && fake_is_sound(fake) && fake->activations == 1);
  CHECK(fake_said(fake, RESULT, "\"outcome\":\"succeeded\"") == 1 && fake_said(fake, RESULT, told) == 1);
}

static void downloads_the_patch_alone(void) {
  static const int kinds[] = {fake_crle, fake_heatshrink};
  for (unsigned i = 0; i < 4; i++) {
    char received[64];
    struct fake *fake = fake_new();
    if (i >= 2) fake_stage_in_slot(fake);
    fake_offer(fake, kinds[i % 2]);
    fake_run(fake, has_result, 4);
    check_updated(fake, "applied");
    CHECK(fake->patch_sent == fake->patch_bytes && fake->old_reads > 0);
    snprintf(received, sizeof received, "\"receivedBytes\":%" PRIu32 ",\"redownloadedBytes\":0", fake->patch_bytes);
    CHECK(fake_said(fake, RESULT, received) == 1);
    // How far it is, is told of the image.
    CHECK(strstr(fake_last(fake, PROGRESS)->payload, "\"totalBytes\":6400"));
  }
}

static void goes_on_over_a_bad_network(void) {
  struct fake *fake = fake_new();
  fake_stage_in_slot(fake);
  fake_offer(fake, fake_heatshrink);
  for (uint32_t i = 0; i < 12; i++) {
    fake_serve(fake, SERVE_CUT, 7 * i);
    fake_serve(fake, SERVE_STALL, 11 * i);
    fake_serve(fake, SERVE_STATUS, 503);
    fake_serve(fake, SERVE_SHORT, 5);
  }
  fake_run(fake, has_result, 4);
  check_updated(fake, "applied");
  // Nothing that has arrived is asked for again.
  CHECK(fake->patch_sent == fake->patch_bytes && fake->requests > 30);
}

static void takes_a_compressed_image(void) {
  static const int kinds[] = {fake_crle, fake_heatshrink};
  for (unsigned i = 0; i < 8; i++) {
    struct fake *fake = fake_new();
    if (i & 2) fake_stage_in_slot(fake);
    // Nor is the old image needed.
    if (i & 4) fake->main.read_running = NULL;
    fake_offer_compressed(fake, kinds[i % 2]);
    fake_run(fake, has_result, 4);
    check_updated(fake, "applied");
    CHECK(fake->patch_sent == fake->patch_bytes && fake->patch_bytes < fake->image_bytes / 2 && fake->old_reads == 0);
  }
}

static void says_that_it_takes_patches(void) {
  struct fake *fake = fake_new();
  fake_run(fake, fake_is_quiet, 2);
  CHECK(fake_said(fake, "status/health", "\"patch\":\"detools\",\"compressed\":true,\"undo\":true") == 1);
  fake = fake_new();
  fake->main.read_running = NULL;
  fake_run(fake, fake_is_quiet, 2);
  CHECK(fake_said(fake, "status/health", "\"patch\"") == 0 && fake_said(fake, "status/health", "\"compressed\":true,\"undo\":true") == 1);
}

static void check_fallback(struct fake *fake, const char *fault) {
  char told[64];
  snprintf(told, sizeof told, "\"patch\":\"%s\"", fault);
  fake_run(fake, has_result, 8);
  check_updated(fake, fault);
  CHECK(fake_said(fake, PROGRESS, told) > 0);
}

static void takes_the_image_when_it_does_not_fit(void) {
  static const char *const flaws[] = {"other base", "other format", "no size"};
  for (unsigned i = 0; i < 3; i++) {
    struct fake *fake = fake_new();
    fake_offer(fake, fake_heatshrink);
    fake->inbound_from = fake->inbound_to;
    fake->offer = flaws[i];
    fake_request(fake, DEPLOYMENT, 1, "");
    check_fallback(fake, "refused");
    CHECK(fake->patch_sent == 0);
  }
  // It has the memory, but cannot read the old image.
  struct fake *fake = fake_new();
  fake_offer(fake, fake_crle);
  fake->main.read_running = NULL;
  check_fallback(fake, "refused");
}

static void takes_the_image_when_the_patch_is_broken(void) {
  for (unsigned in_slot = 0; in_slot < 2; in_slot++) {
    struct fake *fake = fake_new();
    if (in_slot) fake_stage_in_slot(fake);
    fake_offer(fake, fake_crle);
    uint8_t broken[] = {0x10};
    fake->patch = broken;
    fake->patch_bytes = sizeof broken;
    fake->inbound_from = fake->inbound_to;
    fake_request(fake, DEPLOYMENT, 1, "");
    check_fallback(fake, "broken");
    fake = fake_new();
    if (in_slot) fake_stage_in_slot(fake);
    fake_offer(fake, fake_heatshrink);
    // It ends before the image does.
    fake->patch_bytes -= 10;
    fake->inbound_from = fake->inbound_to;
    fake_request(fake, DEPLOYMENT, 1, "");
    check_fallback(fake, "broken");
  }
}

static void takes_the_image_when_another_was_made(void) {
  struct fake *fake = fake_new();
  fake_offer(fake, fake_crle);
  // One of the new bytes, which crle leaves as they are: everything fits, and it is another image.
  static const uint8_t fresh[] = {3, 10, 17, 24, 31, 38};
  static uint8_t other[64 * 1024];
  memcpy(other, fake->patch, fake->patch_bytes);
  size_t at = 0;
  while (memcmp(other + at, fresh, sizeof fresh) != 0) CHECK(++at < fake->patch_bytes);
  other[at + 3] ^= 1;
  fake->patch = other;
  check_fallback(fake, "differs");
  CHECK(fake_said(fake, RESULT, "\"error\"") == 0);
}

static void takes_the_image_when_there_is_no_patch(void) {
  struct fake *fake = fake_new();
  fake_offer(fake, fake_heatshrink);
  for (unsigned i = 0; i < fake->limits.response_failures; i++) fake_serve(fake, SERVE_STATUS, 404);
  check_fallback(fake, "missing");
  // What the server has under its address is another file.
  fake = fake_new();
  fake_offer(fake, fake_heatshrink);
  for (unsigned i = 0; i < fake->limits.response_failures; i++) fake_serve(fake, SERVE_WRONG_TOTAL, 0);
  check_fallback(fake, "missing");
}

/** Copies of the first request are still on their way: their URL is that of the patch. */
static void answer_twice(struct fake *fake, const char *topic, const char *payload) {
  if (strcmp(topic, PROGRESS) != 0 || !strstr(payload, "\"patch\":\"") || !strstr(payload, "\"urlExpired\":true")) return;
  for (unsigned i = 0; i < 3; i++) fake_request(fake, DEPLOYMENT, 1, "");
  fake_answer_fault(fake, topic, payload);
  fake->offer = "";
}

static void never_goes_back_to_the_patch(void) {
  struct fake *fake = fake_new();
  fake_offer(fake, fake_heatshrink);
  for (unsigned i = 0; i < fake->limits.response_failures; i++) fake_serve(fake, SERVE_STATUS, 404);
  fake->on_publish = answer_twice;
  check_fallback(fake, "missing");
  CHECK(fake->patch_sent == 0);
}

static void withdraw(struct fake *fake, const char *topic, const char *payload) {
  if (strcmp(topic, PROGRESS) != 0 || !strstr(payload, "\"downloading\"") || !fake->offer || fake->patch_sent < 250) return;
  fake->offer = NULL;
  fake_request(fake, DEPLOYMENT, 1, "");
}

static void obeys_when_the_server_takes_it_back(void) {
  struct fake *fake = fake_new();
  fake_offer(fake, fake_heatshrink);
  fake->timing.progress_ms = 0;
  fake->on_publish = withdraw;
  fake_run(fake, has_result, 4);
  check_updated(fake, "withdrawn");
  CHECK(fake->patch_sent > 0 && fake->patch_sent < fake->patch_bytes);
}

static void tries_again_with_the_next_attempt(void) {
  struct fake *fake = fake_new();
  fake_offer(fake, fake_heatshrink);
  fake->timing.progress_ms = 0;
  fake->staging_write_fails = true;
  fake_run(fake, has_result, 4);
  CHECK(fake_said(fake, RESULT, "storage_failed") == 1 && !fake_runs_new_image(fake));
  fake->staging_write_fails = false;
  fake->sent_count = 0;
  fake_request(fake, DEPLOYMENT, 2, "");
  fake_run(fake, has_result, 4);
  check_updated(fake, "applied");
}

static const struct test tests[] = {
    {"a device that is offered a patch downloads nothing else, and runs the signed image", downloads_the_patch_alone},
    {"a patch comes over a network that breaks without a byte of it coming twice", goes_on_over_a_bad_network},
    {"a compressed image is a patch that needs no image", takes_a_compressed_image},
    {"only a device that can apply patches says that it takes them", says_that_it_takes_patches},
    {"a patch for another image, or of another form, is not touched", takes_the_image_when_it_does_not_fit},
    {"a broken patch is told of, and the whole image comes instead", takes_the_image_when_the_patch_is_broken},
    {"a patch that made another image is told of, and the whole image comes instead", takes_the_image_when_another_was_made},
    {"a patch that is not there is told of, and the whole image comes instead", takes_the_image_when_there_is_no_patch},
    {"a late copy of the request does not bring a device back to the patch that it gave up", never_goes_back_to_the_patch},
    {"a server that sends the whole image meanwhile is obeyed", obeys_when_the_server_takes_it_back},
    {"storage that fails fails the attempt, and the next may come by patch", tries_again_with_the_next_attempt},
};

RUN_TESTS(tests)
