/** The application has a say: before an image is installed, and before the device boots it. */
#include <string.h>

#include "check.h"
#include "fake.h"

static bool has_result(struct fake *fake) { return fake_is_quiet(fake) && fake_said(fake, RESULT, "outcome") > 0; }
static bool is_cancelled(struct fake *fake) { return fake_is_quiet(fake) && fake_said(fake, CANCEL_ACK, "") > 0; }

/** A device whose application says no to one of the two, after the first 200 s of a life. */
static struct fake *put_off(uint32_t install_wait, uint32_t reboot_wait, const char *request_members) {
  struct fake *fake = fake_new();
  fake->install_wait = install_wait;
  fake->reboot_wait = reboot_wait;
  fake->wait_reason = "the servo moves";
  fake->request_members = request_members;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_pass(fake, 200000);
  CHECK(fake->lives == 1 && fake->activations == 0 && fake_said(fake, RESULT, "") == 0);
  return fake;
}

static void allow(struct fake *fake) { fake->install_wait = fake->reboot_wait = OTA_NOW; }

static void check_end(struct fake *fake, const char *outcome, bool runs_new_image) {
  fake_run(fake, has_result, 20);
  CHECK(fake_said(fake, RESULT, "outcome") == 1 && fake_said(fake, RESULT, outcome) == 1);
  CHECK(fake_runs_new_image(fake) == runs_new_image && fake_is_sound(fake));
}

static void waits_to_install(void) {
  struct fake *fake = put_off(OTA_NO, OTA_NOW, "");
  const char *said = "\"stage\":\"verifying\",\"receivedBytes\":20000,\"totalBytes\":20000,\"chunkBytes\":16384";
  CHECK(strstr(fake_last(fake, PROGRESS)->payload, said) != NULL);
  // At once, and then every minute: 200 s.
  CHECK(fake_said(fake, PROGRESS, "\"deferred\":{\"until\":null,\"reason\":\"the servo moves\"}") == 4);
  CHECK(fake->asked_install == 4 && fake->asked_reboot == 0);
  struct ota_snapshot snapshot;
  ota_agent_snapshot(&fake->agent, &snapshot);
  CHECK(snapshot.stage == OTA_VERIFYING && strcmp(snapshot.deferred, "the servo moves") == 0);
  allow(fake);
  check_end(fake, "\"succeeded\"", true);
  CHECK(fake->asked_reboot == 1 && fake_said(fake, PROGRESS, "\"deferred\"") == 4);
}

static void is_not_asked_before_the_time(void) {
  struct fake *fake = fake_new();
  fake->install_wait = 3600000;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_pass(fake, 3500000);
  CHECK(fake->asked_install == 1);
  // The server is told as often as of any other delay.
  CHECK(fake_said(fake, PROGRESS, "\"deferred\":{\"until\":\"1970-01-01T01:00:0") > 50);
  allow(fake);
  fake_pass(fake, 200000);
  CHECK(fake->asked_install == 2);
  check_end(fake, "\"succeeded\"", true);
}

static bool has_result_when_allowed(struct fake *fake) {
  if (fake->uptime > 250000) allow(fake);
  return has_result(fake);
}

/** Told when the device reboots: the last progress before it. */
static char last_progress[512];
static void keep_progress(struct fake *fake, const char *topic, const char *payload) {
  if (fake->lives == 1 && strcmp(topic, PROGRESS) == 0) strncpy(last_progress, payload, sizeof last_progress - 1);
}

static void waits_to_reboot(void) {
  struct fake *fake = fake_new();
  fake->reboot_wait = OTA_NO;
  fake->wait_reason = "the servo moves";
  fake->on_publish = keep_progress;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result_when_allowed, 2);
  CHECK(fake->lives == 2 && fake->asked_install == 1 && fake->asked_reboot == 6 && fake_runs_new_image(fake));
  CHECK(fake_said(fake, PROGRESS, "\"deferred\":{\"until\":null,\"reason\":\"the servo moves\"}") == 5);
  // What it waited for is over: the server need not wait for it any longer.
  CHECK(strstr(last_progress, "\"stage\":\"installing\"") && strstr(last_progress, "\"deferred\":null"));
}

static void can_be_cancelled(void) {
  for (int reboot = 0; reboot < 2; reboot++) {
    struct fake *fake = put_off(reboot ? OTA_NOW : OTA_NO, OTA_NO, "");
    fake_cancel(fake, DEPLOYMENT, 1);
    fake_run(fake, is_cancelled, 1);
    CHECK(fake_said(fake, CANCEL_ACK, "\"cancelled\":true") == 1 && !fake_runs_new_image(fake) && fake_is_sound(fake));
    unsigned asked = fake->asked_install + fake->asked_reboot;
    fake_pass(fake, 200000);
    CHECK(fake->asked_install + fake->asked_reboot == asked);
  }
}

/* The fake's clock began in 1970, so 300 s of it are a deadline in the future. */
static void goes_ahead_at_the_deadline(void) {
  struct fake *fake = put_off(OTA_NO, OTA_NO, ",\"deadlineUnixMs\":300000,\"atDeadline\":\"proceed\"");
  check_end(fake, "\"succeeded\"", true);
  CHECK(fake->wall + fake->uptime > 300000 && fake->wall + fake->uptime < 400000);
}

static void gives_up_at_the_deadline(void) {
  for (int reboot = 0; reboot < 2; reboot++) {
    struct fake *fake =
        put_off(reboot ? OTA_NOW : OTA_NO, OTA_NO, ",\"deadlineUnixMs\":300000,\"atDeadline\":\"give_up\"");
    check_end(fake, "\"failed\"", false);
    const char *said = fake_last(fake, RESULT)->payload;
    CHECK(strstr(said, "\"error\":{\"code\":\"deferred_too_long\",\"message\":\"the servo moves\"}") != NULL);
    // What is staged is good: another attempt downloads nothing.
    allow(fake);
    unsigned requests = fake->requests;
    fake->sent_count = 0;
    fake_request(fake, DEPLOYMENT, 2, "");
    check_end(fake, "\"succeeded\"", true);
    CHECK(fake->requests == requests);
  }
}

static void needs_a_clock_for_the_deadline(void) {
  struct fake *fake = put_off(OTA_NO, OTA_NOW, ",\"deadlineUnixMs\":300000,\"atDeadline\":\"proceed\"");
  fake->clock_set = false;
  fake_pass(fake, 600000);
  CHECK(fake->activations == 0);
  fake->clock_set = true;
  check_end(fake, "\"succeeded\"", true);
}

static void asks_a_childs_application(void) {
  struct fake *fake = fake_new();
  fake->has_child = true;
  fake->install_wait = fake->reboot_wait = OTA_NO;
  fake->wait_reason = "the servo moves";
  fake_request(fake, DEPLOYMENT, 1, "child");
  fake_pass(fake, 200000);
  CHECK(!fake->child_present && fake_said(fake, PROGRESS, "\"reason\":\"the servo moves\"") == 4);
  // Nothing reboots but the child, which was asked for.
  fake->install_wait = OTA_NOW;
  fake_run(fake, has_result, 1);
  CHECK(fake->child_present && fake->asked_reboot == 0);
}

static void goes_on_after_power_loss(void) {
  for (int reboot = 0; reboot < 2; reboot++) {
    struct fake *fake =
        put_off(reboot ? OTA_NOW : OTA_NO, OTA_NO, ",\"deadlineUnixMs\":2000000,\"atDeadline\":\"give_up\"");
    unsigned requests = fake->requests;
    // More often than an installation is tried.
    for (int i = 0; i < 9; i++) fake_pass(fake, 100000);
    CHECK(fake->lives == 10 && fake_said(fake, RESULT, "") == 0 && fake->activations == 0);
    CHECK(fake->requests == requests);
    // The deadline is the one that came with the request.
    struct fake before = *fake;
    check_end(fake, "\"failed\"", false);
    *fake = before;
    allow(fake);
    check_end(fake, "\"succeeded\"", true);
  }
}

static const struct test tests[] = {
    {"an application that says no is asked again, the server told why, and nothing installed meanwhile", waits_to_install},
    {"an application that says until when is not asked before", is_not_asked_before_the_time},
    {"an application may put off the reboot into an image that is installed", waits_to_reboot},
    {"what is put off can be cancelled, and is not asked about any more", can_be_cancelled},
    {"after the deadline an update goes ahead where the deployment says so", goes_ahead_at_the_deadline},
    {"after the deadline an update is given up where the deployment says so", gives_up_at_the_deadline},
    {"a device without the time waits until it has it", needs_a_clock_for_the_deadline},
    {"a child's update asks its own application", asks_a_childs_application},
    {"an update that is put off outlives any number of power cuts, with its deadline", goes_on_after_power_loss},
};

RUN_TESTS(tests)
