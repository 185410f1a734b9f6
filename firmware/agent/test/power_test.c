/** The power goes at every write in turn; the device must end on the old image or the new one, confirmed, and say which. */
#include <stddef.h>
#include <string.h>

#include "check.h"
#include "fake_delta.h"
#include "fake_seal.h"

struct scenario {
  void (*begin)(struct fake *fake);
  bool (*done)(struct fake *fake);
  void (*check)(struct fake *fake);
};

static const char *again;
/** Where images are staged: a storage of its own, or the slot itself. */
static bool in_slot;

/** A webhook asks again for what was not answered: the device may have lost the message with its power. */
static void repeat(struct fake *fake) {
  if (again && fake_said(fake, "firmware/download/request/ack", "") == 0) fake_request(fake, DEPLOYMENT, 1, again);
}

static bool is_settled(struct fake *fake) {
  return fake->connected && fake->agent.journal.count == 0 && fake->inbound_from == fake->inbound_to &&
         fake->agent.journal.state.job.stage == OTA_IDLE && !fake->agent.on_trial;
}

static void run_scenario(struct fake *fake, const struct scenario *scenario) {
  for (int i = 0; i < 40; i++) {
    if (fake_live(fake, scenario->done)) {
      scenario->check(fake);
      CHECK(fake_is_sound(fake));
      return;
    }
    fake->armed = fake->armed && fake->writes < fake->cut_at;
    repeat(fake);
  }
  FAIL("it never recovers");
}

/** The device of a scenario before anything is cut: it begins once, and each of its lives from there. */
static struct fake begun;

static void copy(struct fake *to, const struct fake *from) {
  CHECK(from->inbound_to <= fake_messages && from->sent_count <= fake_messages);
  memcpy(to, from, offsetof(struct fake, inbound));
  memcpy(to->inbound, from->inbound, from->inbound_to * sizeof from->inbound[0]);
  memcpy(to->sent, from->sent, from->sent_count * sizeof from->sent[0]);
}

static struct fake *begin(const struct scenario *scenario) {
  struct fake *fake = fake_new();
  if (in_slot) fake_stage_in_slot(fake);
  scenario->begin(fake);
  copy(&begun, fake);
  return fake;
}

/** Returns how many writes there were. */
static long cut_at(struct fake *fake, const struct scenario *scenario, long cut, long second) {
  copy(fake, &begun);
  fake->armed = cut > 0;
  fake->cut_at = cut;
  if (second > 0) {
    // Another cut, so many writes after the first.
    if (!fake_live(fake, scenario->done)) {
      fake->cut_at = fake->writes + second;
      repeat(fake);
    }
  }
  run_scenario(fake, scenario);
  return fake->writes;
}

/** Each write is the first of two cuts with POWER_TWICE_EVERY=1; else one of seven, but still the second of two. */
static long twice_every(void) {
  const char *text = getenv("POWER_TWICE_EVERY");
  long every = text ? strtol(text, NULL, 10) : 7;
  CHECK(every > 0);
  return every;
}

static void cut_at_every_write(const struct scenario *scenario) {
  struct fake *fake = begin(scenario);
  long writes = cut_at(fake, scenario, 0, 0);
  long lives = writes;
  CHECK(writes > 4);
  for (long cut = 1; cut <= writes; cut++) cut_at(fake, scenario, cut, 0);
  for (long cut = 1; cut <= writes; cut += twice_every(), lives += 12)
    for (long second = 1; second <= 12; second++) cut_at(fake, scenario, cut, second);
  fprintf(stderr, "    %s%ld writes, %ld lives cut short\n", in_slot ? "staged in the slot: " : "", writes, lives);
}

static void cut_everywhere(const struct scenario *scenario) {
  in_slot = false;
  cut_at_every_write(scenario);
  in_slot = true;
  cut_at_every_write(scenario);
}

static void request(struct fake *fake) {
  again = "";
  // Small enough for every write, large enough for several checkpoints.
  fake_make_image(fake, 17000, 11);
  fake->limits.checkpoint_chunks = 1;
  fake->limits.chunk_ceiling_bytes = 4096;
  // Checkpoints within a sector, too.
  if (in_slot) fake->limits.chunk_floor_bytes = fake->limits.chunk_start_bytes = fake->limits.chunk_ceiling_bytes = 3000;
  fake_request(fake, DEPLOYMENT, 1, "");
}

static bool has_result(struct fake *fake) { return is_settled(fake) && fake_said(fake, RESULT, "") > 0; }

static void check_truth(struct fake *fake) {
  unsigned succeeded = fake_said(fake, RESULT, "\"outcome\":\"succeeded\",\"running\":{\"component\":\"main\",\"version\":\"1.0.0\"");
  unsigned rolled_back =
      fake_said(fake, RESULT, "\"outcome\":\"rolled_back\",\"running\":{\"component\":\"main\",\"version\":\"0.0.0\"");
  // Once, and as it is.
  CHECK(fake_said(fake, RESULT, "") == 1 && succeeded + rolled_back == 1);
  CHECK(fake_runs_new_image(fake) == (succeeded == 1));
}

static void check_success(struct fake *fake) {
  check_truth(fake);
  // What was switched to once is not installed again.
  CHECK(fake_runs_new_image(fake) && fake->activations == 1);
}

static void survives_an_update(void) {
  static const struct scenario scenario = {request, has_result, check_success};
  cut_everywhere(&scenario);
}

/** The application needs some seconds before the installation, and again before the reboot. */
static void request_put_off(struct fake *fake) {
  request(fake);
  fake->timing.ask_again_ms = 500;
  fake->install_wait = fake->reboot_wait = OTA_NO;
}

static bool has_result_when_allowed(struct fake *fake) {
  if (fake->asked_install >= 3) fake->install_wait = OTA_NOW;
  if (fake->asked_reboot >= 3) fake->reboot_wait = OTA_NOW;
  return has_result(fake);
}

static void survives_being_put_off(void) {
  static const struct scenario scenario = {request_put_off, has_result_when_allowed, check_success};
  in_slot = false;
  cut_at_every_write(&scenario);
}

static void request_bad_image(struct fake *fake) {
  request(fake);
  fake->self_test = OTA_ERR_INSTALL;
}

static void check_rollback(struct fake *fake) {
  check_truth(fake);
  CHECK(!fake_runs_new_image(fake) && fake_said(fake, RESULT, "self_test_failed") == 1);
}

static void survives_a_rollback(void) {
  static const struct scenario scenario = {request_bad_image, has_result, check_rollback};
  cut_everywhere(&scenario);
}

static void request_child(struct fake *fake) {
  request(fake);
  fake->inbound_from = fake->inbound_to;
  fake->has_child = true;
  again = "child";
  fake_request(fake, DEPLOYMENT, 1, "child");
}

static void check_child(struct fake *fake) {
  CHECK(fake_said(fake, RESULT, "") == 1 && fake_said(fake, RESULT, "\"outcome\":\"succeeded\"") == 1);
  CHECK(fake->child_present && memcmp(fake->child_flash, fake->image, fake->image_bytes) == 0);
}

static void survives_an_update_of_the_child(void) {
  static const struct scenario scenario = {request_child, has_result, check_child};
  cut_everywhere(&scenario);
}

static void cancel_halfway(struct fake *fake, const char *topic, const char *payload) {
  if (strcmp(topic, "firmware/download/progress") == 0 && strstr(payload, "\"verifying\"")) fake_cancel(fake, DEPLOYMENT, 1);
}

static void request_and_cancel(struct fake *fake) {
  request(fake);
  fake->on_publish = cancel_halfway;
}

static bool is_over(struct fake *fake) {
  return is_settled(fake) && (fake_said(fake, "firmware/download/cancel/ack", "") > 0 || fake_said(fake, RESULT, "") > 0);
}

static void check_cancelled(struct fake *fake) {
  bool cancelled = fake_said(fake, "firmware/download/cancel/ack", "\"cancelled\":true") > 0;
  if (cancelled) CHECK(fake_said(fake, RESULT, "") == 0 && !fake_runs_new_image(fake));
  else check_truth(fake);
}

static void survives_a_cancel(void) {
  static const struct scenario scenario = {request_and_cancel, is_over, check_cancelled};
  cut_everywhere(&scenario);
}

static void undo_an_update(struct fake *fake) {
  request(fake);
  fake_run(fake, has_result, 20);
  CHECK(fake_runs_new_image(fake));
  again = NULL;
  fake->sent_count = 0;
  fake->activations = 0;
  fake->writes = 0;
  fake->requests = 0;
  fake_undo(fake, OTHER_DEPLOYMENT, 1, "");
}

/** As after a request: what the device has lost with its power is sent again. */
static bool is_undone(struct fake *fake) {
  if (is_settled(fake) && fake_said(fake, "firmware/download/request/ack", OTHER_DEPLOYMENT) == 0)
    fake_undo(fake, OTHER_DEPLOYMENT, 1, "");
  return has_result(fake);
}

static void check_undone(struct fake *fake) {
  CHECK(fake_said(fake, RESULT, "") == 1 && fake_said(fake, RESULT, "\"outcome\":\"succeeded\"") == 1);
  CHECK(fake->active == 0 && fake->activations == 1 && fake->requests == 0);
}

static void survives_an_undo(void) {
  static const struct scenario scenario = {undo_an_update, is_undone, check_undone};
  cut_everywhere(&scenario);
}

static void offer_patch(struct fake *fake) {
  again = "";
  fake_offer(fake, fake_heatshrink);
}

/** Of the patch: what made the last grain, and what was in the buffer behind it, may have to come again after each cut; no more. */
static void check_delta(struct fake *fake) {
  const uint32_t per_grain = fake->patch_bytes / 2;
  check_success(fake);
  CHECK(fake_said(fake, RESULT, "\"patch\":\"applied\"") == 1);
  CHECK(fake->patch_sent <= fake->patch_bytes + 2 * (per_grain + 2 * fake->limits.chunk_floor_bytes + 256));
}

static void survives_a_delta_update(void) {
  static const struct scenario scenario = {offer_patch, has_result, check_delta};
  cut_everywhere(&scenario);
}

static void offer_compressed(struct fake *fake) {
  again = "";
  fake_offer_compressed(fake, fake_heatshrink);
}

static void survives_a_compressed_update(void) {
  static const struct scenario scenario = {offer_compressed, has_result, check_delta};
  cut_everywhere(&scenario);
}

static void offer_broken_patch(struct fake *fake) {
  again = "";
  fake_offer(fake, fake_heatshrink);
  // It ends before the image does.
  fake->patch_bytes -= 10;
  fake->inbound_from = fake->inbound_to;
  fake_request(fake, DEPLOYMENT, 1, "");
}

static void check_whole(struct fake *fake) {
  check_success(fake);
  CHECK(fake_said(fake, RESULT, "\"patch\":\"broken\"") == 1);
}

static void survives_a_broken_patch(void) {
  static const struct scenario scenario = {offer_broken_patch, has_result, check_whole};
  in_slot = true;
  cut_at_every_write(&scenario);
}

static void request_sealed(struct fake *fake) {
  again = "";
  fake_make_image(fake, 9000, 11);
  fake->limits.checkpoint_chunks = 1;
  fake->limits.chunk_floor_bytes = fake->limits.chunk_start_bytes = fake->limits.chunk_ceiling_bytes = 3000;
  fake->timing.checkpoint_ms = 0;
  fake_seal(fake);
  fake_request(fake, DEPLOYMENT, 1, "");
}

/** After each of two cuts, the chunk that was under way may have to come again, and the one before it if its checkpoint was lost; no more. */
static void check_sealed(struct fake *fake) {
  check_success(fake);
  CHECK(fake->sent_bytes <= fake->sealed_bytes + 2 * 2 * (SEAL_CHUNK_BYTES + 16));
}

static void survives_a_sealed_update(void) {
  static const struct scenario scenario = {request_sealed, has_result, check_sealed};
  cut_everywhere(&scenario);
}

static void offer_sealed_patch(struct fake *fake) {
  again = "";
  fake_offer(fake, fake_heatshrink);
  fake->inbound_from = fake->inbound_to;
  fake_seal(fake);
  fake_request(fake, DEPLOYMENT, 1, "");
}

static void survives_a_sealed_patch(void) {
  static const struct scenario scenario = {offer_sealed_patch, has_result, check_success};
  in_slot = true;
  cut_at_every_write(&scenario);
}

static void age_certificate(struct fake *fake) {
  again = NULL;
  fake->wall = UINT64_C(71) * 24 * 3600 * 1000;
}

static bool is_renewed(struct fake *fake) {
  return is_settled(fake) && fake->key != 1 && fake->pending_key == 0 && fake->connected_key == fake->key;
}

static void check_pair(struct fake *fake) { CHECK(!fake->issued); }

static void survives_a_renewal(void) {
  static const struct scenario scenario = {age_certificate, is_renewed, check_pair};
  in_slot = false;
  cut_at_every_write(&scenario);
}

static const struct test tests[] = {
    {"a power cut at any write of an update ends on the new image, reported once", survives_an_update},
    {"a power cut at any write of an update that is put off ends on the new image, reported once", survives_being_put_off},
    {"a power cut at any write of a rollback ends on the old image, reported once", survives_a_rollback},
    {"a power cut at any write of an update by patch ends on the new image, and little of the patch comes twice",
     survives_a_delta_update},
    {"a power cut at any write of a compressed update ends on the new image, and little of it comes twice",
     survives_a_compressed_update},
    {"a power cut at any write around a broken patch ends on the new image, reported once", survives_a_broken_patch},
    {"a power cut at any write of a sealed update ends on the new image, and little of it comes twice", survives_a_sealed_update},
    {"a power cut at any write of a sealed patch ends on the new image, reported once", survives_a_sealed_patch},
    {"a power cut at any write of a child's update ends with the child updated", survives_an_update_of_the_child},
    {"a power cut at any write around a cancel leaves one truthful answer", survives_a_cancel},
    {"a power cut at any write of an undo ends on the previous image, reported once", survives_an_undo},
    {"a power cut at any write of a renewal leaves a pair that connects", survives_a_renewal},
};

RUN_TESTS(tests)
