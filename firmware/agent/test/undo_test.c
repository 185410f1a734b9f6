/** Undo: the previous image is booted from its slot, and nothing but that; whatever else is signed, or sent again, is refused. */
#include <string.h>

#include "check.h"
#include "fake.h"

#define UNDO "5d2f6a01-1f0e-4f5b-9f0a-0d6a5c1e2f77"
#define THIRD_DEPLOYMENT "5d2f6a01-1f0e-4f5b-9f0a-0d6a5c1e2f79"
#define SECOND_UNDO "5d2f6a01-1f0e-4f5b-9f0a-0d6a5c1e2f78"

static bool has_result(struct fake *fake) { return fake_is_quiet(fake) && fake_said(fake, RESULT, "outcome") > 0; }
static bool is_answered(struct fake *fake) { return fake_is_quiet(fake) && fake_said(fake, ACK, "") > 0; }

/** A device that DEPLOYMENT has brought the new image; the factory's is in its other slot. */
static struct fake *updated(void) {
  struct fake *fake = fake_new();
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  CHECK(fake_runs_new_image(fake));
  fake->sent_count = 0;
  fake->requests = 0;
  return fake;
}

static void check_back(struct fake *fake) {
  CHECK(fake_said(fake, RESULT, "\"outcome\":\"succeeded\",\"running\":{\"component\":\"main\",\"version\":\"0.0.0\"") == 1);
  CHECK(strstr(fake_last(fake, RESULT)->payload, "\"receivedBytes\":0,\"redownloadedBytes\":0}") != NULL);
  CHECK(strstr(fake_last(fake, RESULT)->payload, ",\"undo\":true}") != NULL);
  CHECK(fake->active == 0 && fake_is_sound(fake) && fake->requests == 0);
}

static void boots_the_previous_image(void) {
  struct fake *fake = updated();
  fake_undo(fake, UNDO, 1, "");
  fake_run(fake, has_result, 20);
  check_back(fake);
  CHECK(fake_said(fake, ACK, "\"accepted\":true") == 1 && fake_said(fake, "status/health", "\"reason\":\"update\"") == 1);
  CHECK(fake_said(fake, PROGRESS, "\"stage\":\"installing\",\"receivedBytes\":0,") > 0);
}

static void refuse(struct fake *fake, const char *deployment, const char *change, const char *code) {
  int active = fake->active;
  fake_undo(fake, deployment, 1, change);
  fake_run(fake, is_answered, 20);
  CHECK(fake_said(fake, ACK, "\"accepted\":false") == 1 && fake_said(fake, ACK, code) == 1);
  CHECK(fake->active == active && fake_is_sound(fake));
}

static void refuses_what_is_not_meant_for_it(void) {
  static const char *const changes[][2] = {
      {"forged", "signature_invalid"},       {"stranger", "signature_invalid"}, {"downgrade", "downgrade_refused"},
      {"other deployment", "undo_refused"},  {"other image", "undo_refused"},   {"expired", "undo_refused"},
      {"hardware", "hardware_mismatch"},     {"no expiry", "manifest_invalid"}, {"no undo", "url_refused"},
  };
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) refuse(updated(), UNDO, changes[i][0], changes[i][1]);
}

/** The same order as the other device got, which its deployment has never reached. */
static void refuses_another_devices_order(void) {
  struct fake *fake = fake_new();
  fake_request(fake, OTHER_DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  fake->sent_count = 0;
  refuse(fake, UNDO, "", "undo_refused");
}

static void refuses_without_a_clock(void) {
  struct fake *fake = updated();
  fake->clock_set = false;
  refuse(fake, UNDO, "", "\"busy\"");
  // The next attempt comes when there is one.
  fake->clock_set = true;
  fake_undo(fake, UNDO, 2, "");
  fake_run(fake, has_result, 20);
  check_back(fake);
}

static void refuses_a_slot_that_holds_another_image(void) {
  struct fake *fake = updated();
  fake->slots[0].data[500] ^= 1;
  fake_undo(fake, UNDO, 1, "");
  fake_run(fake, has_result, 20);
  CHECK(fake_said(fake, RESULT, "\"outcome\":\"failed\"") == 1 && fake_said(fake, RESULT, "undo_refused") == 1);
  CHECK(fake_runs_new_image(fake) && fake_is_sound(fake));
}

static void holds_once(void) {
  struct fake *fake = updated();
  fake_undo(fake, UNDO, 1, "");
  fake_run(fake, has_result, 20);
  check_back(fake);
  // The same image again, by another deployment; then the old order under other names.
  fake->sent_count = 0;
  fake_request(fake, OTHER_DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  CHECK(fake_runs_new_image(fake));
  fake->sent_count = 0;
  refuse(fake, SECOND_UNDO, "", "undo_refused");
  fake->sent_count = 0;
  fake_undo(fake, UNDO, 1, "");
  fake_pass(fake, 60000);
  CHECK(fake_said(fake, ACK, "") == 0 && fake_runs_new_image(fake));
}

/** By another update, to the image that an undo would have booted, and forth again by a third. */
static void refuses_the_order_of_an_update_that_was_left(void) {
  struct fake *fake = updated();
  memcpy(fake->image, fake->slots[0].data, fake->slots[0].image.size);
  fake->image_bytes = fake->slots[0].image.size;
  fake_request(fake, OTHER_DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  CHECK(fake->active == 0);
  fake_make_image(fake, 20000, 7);
  fake->sent_count = 0;
  fake_request(fake, THIRD_DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  CHECK(fake_runs_new_image(fake));
  fake->sent_count = 0;
  refuse(fake, UNDO, "", "undo_refused");
}

/** A device that another deployment brought the image; then whoever has the broker asks for it once more under the name of the first. */
static void is_not_brought_by_an_order_for_what_runs(void) {
  struct fake *fake = fake_new();
  fake_request(fake, OTHER_DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  fake->sent_count = 0;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  CHECK(fake_said(fake, RESULT, "\"outcome\":\"succeeded\"") == 1);
  fake->sent_count = 0;
  refuse(fake, UNDO, "", "undo_refused");
}

/** The same after the undo: neither does it count a second time. */
static void holds_once_however_the_update_is_asked_for_again(void) {
  struct fake *fake = updated();
  fake_undo(fake, UNDO, 1, "");
  fake_run(fake, has_result, 20);
  fake_request(fake, OTHER_DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  CHECK(fake_runs_new_image(fake));
  fake->sent_count = 0;
  fake_request(fake, DEPLOYMENT, 2, "");
  fake_run(fake, has_result, 20);
  fake->sent_count = 0;
  refuse(fake, SECOND_UNDO, "", "undo_refused");
}

/** A second attempt, because the result of the first was lost on the way. */
static void counts_what_it_brought_when_asked_for_again(void) {
  struct fake *fake = updated();
  fake_request(fake, DEPLOYMENT, 2, "");
  fake_run(fake, has_result, 20);
  fake->sent_count = 0;
  fake_undo(fake, UNDO, 1, "");
  fake_run(fake, has_result, 20);
  check_back(fake);
}

static void succeeds_where_the_image_runs_already(void) {
  struct fake *fake = updated();
  fake_undo(fake, UNDO, 1, "");
  fake_run(fake, has_result, 20);
  fake->sent_count = 0;
  int activations = fake->activations;
  fake_undo(fake, UNDO, 2, "");
  fake_run(fake, has_result, 20);
  CHECK(fake_said(fake, RESULT, "\"outcome\":\"succeeded\"") == 1 && fake->activations == activations);
}

static void stays_when_the_previous_image_fails(void) {
  struct fake *fake = updated();
  fake->self_test = OTA_ERR_INSTALL;
  fake_undo(fake, UNDO, 1, "");
  fake_run(fake, has_result, 20);
  CHECK(fake_said(fake, RESULT, "\"outcome\":\"rolled_back\"") == 1 && fake_said(fake, RESULT, "self_test_failed") == 1);
  CHECK(fake_runs_new_image(fake) && fake_is_sound(fake));
}

static void asks_before_the_reboot(void) {
  struct fake *fake = updated();
  fake->install_wait = fake->reboot_wait = OTA_NO;
  fake_undo(fake, UNDO, 1, "");
  fake_pass(fake, 200000);
  CHECK(fake_runs_new_image(fake) && fake->asked_reboot > 0 && fake_said(fake, PROGRESS, "\"deferred\":{") > 0);
  fake_cancel(fake, UNDO, 1);
  fake_pass(fake, 1000);
  CHECK(fake_said(fake, CANCEL_ACK, "\"cancelled\":true") == 1 && fake_runs_new_image(fake));
  // The cancelled order was not carried out: another one still holds.
  fake->reboot_wait = OTA_NOW;
  fake_undo(fake, SECOND_UNDO, 1, "");
  fake_run(fake, has_result, 20);
  check_back(fake);
}

static const struct test tests[] = {
    {"an undo boots the previous image from its slot, without a byte", boots_the_previous_image},
    {"an undo that is forged, expired, lower in security, or of another image or deployment is refused", refuses_what_is_not_meant_for_it},
    {"an undo of a deployment that did not reach this device is refused", refuses_another_devices_order},
    {"an undo waits for a clock", refuses_without_a_clock},
    {"an undo fails where the slot holds another image than named", refuses_a_slot_that_holds_another_image},
    {"an undo holds once, under whatever name it comes again", holds_once},
    {"an undo of an update that another has taken back is refused", refuses_the_order_of_an_update_that_was_left},
    {"an undo of a deployment that asked for what ran already is refused", is_not_brought_by_an_order_for_what_runs},
    {"an undo holds once, also when the update is asked for again while its image runs", holds_once_however_the_update_is_asked_for_again},
    {"an undo holds when the update that it is of was asked for again", counts_what_it_brought_when_asked_for_again},
    {"an undo changes nothing where the image runs already", succeeds_where_the_image_runs_already},
    {"an undo whose image fails its self-test stays with what runs", stays_when_the_previous_image_fails},
    {"an undo asks the application before the reboot, and can be cancelled until then", asks_before_the_reboot},
};

RUN_TESTS(tests)
