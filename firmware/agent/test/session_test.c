/** What is not about one update: the outbox, commands, certificates. */
#include <string.h>

#include "check.h"
#include "fake.h"

static void resends_until_acked(void) {
  struct fake *fake = fake_new();
  fake->acking = false;
  fake_request(fake, DEPLOYMENT, 1, "forged");
  fake_pass(fake, 200000);
  unsigned copies = 0;
  for (unsigned i = 0; i < fake->sent_count; i++) copies += strcmp(fake->sent[i].topic, ACK) == 0;
  CHECK(copies > 3 && copies < 20 && fake_said(fake, ACK, "") == 1);
  // Also after a reset, and still the same text.
  fake_pass(fake, 1000);
  CHECK(fake_said(fake, ACK, "") == 1);
  fake->acking = true;
  fake_run(fake, fake_is_quiet, 1);
}

static void keeps_what_nobody_asks_for_again_when_the_outbox_is_full(void) {
  struct fake *fake = fake_new();
  char text[200];
  fake_request(fake, DEPLOYMENT, 1, "");
  fake->acking = false;
  fake->always = (struct fake_answer){SERVE_STATUS, 404};
  fake_pass(fake, 60000);
  CHECK(fake_said(fake, RESULT, "") == 1);
  for (int i = 0; i < 60; i++) {
    snprintf(text, sizeof text, "{\"id\":\"p-%d\",\"at\":null,\"command\":\"ping\"}", i);
    fake_deliver(fake, "control/command", text);
  }
  fake_pass(fake, 60000);
  fake->sent_count = 0;
  fake->acking = true;
  fake_run(fake, fake_is_quiet, 2);
  CHECK(fake_said(fake, RESULT, "download_failed") == 1 && fake_said(fake, ACK, "") == 1);
}

static void answers_commands(void) {
  struct fake *fake = fake_new();
  static const char *const commands[] = {
      "{\"id\":\"a\",\"at\":null,\"command\":\"ping\"}",
      "{\"id\":\"a\",\"at\":null,\"command\":\"ping\"}",
      "{\"id\":\"b\",\"at\":null,\"command\":\"identify\"}",
      "{\"id\":\"c\",\"at\":null,\"command\":\"report\"}",
      "{\"id\":\"d\",\"at\":null,\"command\":\"echo\",\"args\":{\"x\":[1,{\"y\":2}]},\"later\":1}",
      "{\"id\":\"e\",\"at\":null,\"command\":\"break\"}",
      "{\"id\":\"f\",\"at\":null,\"command\":\"dance\"}",
      "{\"id\":\"g\",\"at\":null,\"command\":\"reboot\"}",
      "{\"id\":\"g\",\"at\":null,\"command\":\"reboot\"}",
  };
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) fake_deliver(fake, "control/command", commands[i]);
  fake_run(fake, fake_is_quiet, 3);
  fake_pass(fake, 1000);
  const char *topic = "control/response";
  CHECK(fake_said(fake, topic, "") == 7 && fake_said(fake, topic, "\"bootCount\":1") == 1);
  CHECK(fake_said(fake, topic, "\"result\":{\"x\":[1,{\"y\":2}]}") == 1);
  CHECK(fake_said(fake, topic, "command_failed") == 1 && fake_said(fake, topic, "unknown_command") == 1);
  CHECK(fake_said(fake, "status/health", "\"reason\":\"command\"") == 1 && fake_said(fake, "status/system", "uptimeMs") > 0);
}

static bool is_renewed(struct fake *fake) { return fake_is_quiet(fake) && fake->key != 1 && fake->pending_key == 0; }

static void renews(void) {
  struct fake *fake = fake_new();
  fake->wall = UINT64_C(71) * 24 * 3600 * 1000;
  fake_run(fake, is_renewed, 3);
  CHECK(fake_said(fake, "cert/renew/request", "CSR of key") == 1 && fake->connected_key == fake->key);
}

static bool has_dropped(struct fake *fake) { return fake_is_quiet(fake) && fake->connects > 1 && fake->pending_key == 0; }

static void keeps_the_old_certificate_when_the_new_does_not_connect(void) {
  struct fake *fake = fake_new();
  fake->wall = UINT64_C(71) * 24 * 3600 * 1000;
  fake->refused_key = 3;
  fake_run(fake, has_dropped, 3);
  CHECK(fake->key == 1 && fake->connected_key == 1);
}

static void the_end_of_an_old_session_is_not_held_against_a_new_certificate(void) {
  struct fake *fake = fake_new();
  fake->wall = UINT64_C(71) * 24 * 3600 * 1000;
  fake->late_disconnects = true;
  fake->limits.renewed_connects = 1;
  fake_run(fake, is_renewed, 3);
  CHECK(fake->connected_key == fake->key && fake->connects == 2);
}

static void a_full_outbox_drops_boot_reports_first(void) {
  struct fake *fake = fake_new();
  fake->acking = false;
  fake_request(fake, DEPLOYMENT, 1, "hardware");
  for (int boots = 0; boots < 40; boots++) fake_pass(fake, 2000);
  fake->sent_count = 0;
  fake->acking = true;
  fake_run(fake, fake_is_quiet, 2);
  // Another boot report, the newest, and the refusal that nobody asks for again.
  CHECK(fake_said(fake, ACK, "hardware_mismatch") == 1 && fake_said(fake, "status/health", "\"count\":41") == 1);
}

static bool never(struct fake *fake) {
  (void)fake;
  return false;
}

static void says_nothing_without_random_numbers(void) {
  struct fake *fake = fake_new();
  fake->random_fails = true;
  for (int i = 0; i < 3; i++) CHECK(!fake_live(fake, never));
  CHECK(fake->sent_count == 0);
  fake->random_fails = false;
  fake_run(fake, fake_is_quiet, 2);
}

static void waits_for_the_clock(void) {
  struct fake *fake = fake_new();
  fake->clock_set = false;
  fake_pass(fake, 5000);
  CHECK(fake_said(fake, "cert/renew/request", "") == 0 && fake_said(fake, "status/health", "\"at\":null") == 1);
}
static const struct test tests[] = {
    {"a critical message is sent until it is acked, the same byte for byte", resends_until_acked},
    {"a full outbox keeps results and acknowledgements", keeps_what_nobody_asks_for_again_when_the_outbox_is_full},
    {"a command is carried out once and answered", answers_commands},
    {"a certificate near its end is renewed", renews},
    {"the old certificate stays when the new one does not connect", keeps_the_old_certificate_when_the_new_does_not_connect},
    {"the end of an old session is not held against a new certificate",
     the_end_of_an_old_session_is_not_held_against_a_new_certificate},
    {"a full outbox drops boot reports before answers", a_full_outbox_drops_boot_reports_first},
    {"a message that cannot get a random id is not sent", says_nothing_without_random_numbers},
    {"without a clock nothing is dated and nothing renewed", waits_for_the_clock},
};

RUN_TESTS(tests)
