#include <string.h>

#include "check.h"
#include "fake.h"

static bool has_result(struct fake *fake) { return fake_is_quiet(fake) && fake_said(fake, RESULT, "outcome") > 0; }
static bool is_accepted(struct fake *fake) { return fake->agent.journal.state.job.stage != OTA_IDLE; }

static struct fake *update_with(enum fake_how how, uint32_t number) {
  struct fake *fake = fake_new();
  if (how != SERVE_HONEST) fake_serve(fake, how, number);
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  CHECK(fake_said(fake, ACK, "\"accepted\":true") == 1 && fake_said(fake, RESULT, "outcome") == 1);
  return fake;
}

static void check_succeeded(const struct fake *fake) {
  CHECK(fake_said(fake, RESULT, "\"outcome\":\"succeeded\"") == 1);
  CHECK(fake_runs_new_image(fake) && fake_is_sound(fake));
}

static void check_failed(const struct fake *fake, const char *code) {
  CHECK(fake_said(fake, RESULT, "\"outcome\":\"failed\"") == 1 && strstr(fake_last(fake, RESULT)->payload, code));
  CHECK(!fake_runs_new_image(fake) && fake_is_sound(fake));
}

static void updates(void) {
  struct fake *fake = update_with(SERVE_HONEST, 0);
  check_succeeded(fake);
  CHECK(fake->lives == 2 && fake->connections == 1);
  CHECK(fake_said(fake, "status/health", "\"reason\":\"update\"") == 1);
  CHECK(strstr(fake_last(fake, RESULT)->payload, "\"version\":\"1.0.0\"") != NULL);
  CHECK(strstr(fake_last(fake, RESULT)->payload, "\"receivedBytes\":20000,\"redownloadedBytes\":0}") != NULL);
  CHECK(fake->staging_bytes == 0);
}

static void endures_bad_answers(void) {
  static const struct fake_answer once[] = {
      {SERVE_WHOLE, 0},       {SERVE_WHOLE_UNSIZED, 0}, {SERVE_STATUS, 404},  {SERVE_STATUS, 416}, {SERVE_STATUS, 500},
      {SERVE_STATUS, 503},    {SERVE_STATUS, 302},      {SERVE_CUT, 0},       {SERVE_CUT, 2000},   {SERVE_STALL, 2000},
      {SERVE_TRUNCATED, 100}, {SERVE_SHORT, 1000},      {SERVE_OVERLONG, 0},  {SERVE_WRONG_RANGE, 0},
      {SERVE_NO_RANGE, 0},    {SERVE_GZIP, 0},          {SERVE_NO_CONNECTION, 0}, {SERVE_SILENT, 0},
      {SERVE_WRONG_TOTAL, 0},
  };
  for (size_t i = 0; i < sizeof once / sizeof once[0]; i++) check_succeeded(update_with(once[i].how, once[i].number));
}

static void gives_up_in_the_end(void) {
  static const struct {
    enum fake_how how;
    uint32_t number;
    const char *code;
  } always[] = {
      {SERVE_STATUS, 404, "download_failed"},   {SERVE_STATUS, 500, "download_failed"},
      {SERVE_WRONG_TOTAL, 0, "size_mismatch"},  {SERVE_NO_RANGE, 0, "download_failed"},
      {SERVE_CUT, 0, "download_failed"},        {SERVE_NO_CONNECTION, 0, "download_failed"},
      {SERVE_STALL, 0, "download_failed"},      {SERVE_CORRUPT, 0, "digest_mismatch"},
      {SERVE_GZIP, 0, "download_failed"},
  };
  for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
    struct fake *fake = fake_new();
    fake->always = (struct fake_answer){always[i].how, always[i].number};
    fake_request(fake, DEPLOYMENT, 1, "");
    fake_run(fake, has_result, 20);
    check_failed(fake, always[i].code);
    // The next attempt is another chance.
    fake->always = (struct fake_answer){SERVE_HONEST, 0};
    fake_request(fake, DEPLOYMENT, 2, "");
    fake->sent_count = 0;
    fake_run(fake, has_result, 20);
    check_succeeded(fake);
  }
}

static void asks_for_fresh_urls(void) {
  struct fake *fake = fake_new();
  fake->good_url = "https://files.example.com/app.bin?s=2";
  char fresh[4096];
  strcpy(fresh, fake_request_text(fake, DEPLOYMENT, 1, "", fake->good_url));
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_pass(fake, 60000);
  CHECK(fake_said(fake, PROGRESS, "\"urlExpired\":true") > 2 && fake_said(fake, RESULT, "") == 0);
  fake->fresh_request = fresh;
  fake_run(fake, has_result, 20);
  check_succeeded(fake);
  CHECK(fake_said(fake, ACK, "") == 1);
}

static void gives_up_after_many_urls(void) {
  struct fake *fake = fake_new();
  char fresh[4096];
  strcpy(fresh, fake_request_text(fake, DEPLOYMENT, 1, "", "https://files.example.com/app.bin?s=1"));
  fake->fresh_request = fresh;
  fake->always = (struct fake_answer){SERVE_STATUS, 403};
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  check_failed(fake, "download_failed");
  CHECK(fake->requests == 9);
}

static void adapts_its_chunks(void) {
  struct fake *fake = fake_new();
  fake_make_image(fake, 100000, 8);
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  check_succeeded(fake);
  CHECK(fake->largest_range == 32768 && fake->smallest_range <= 4096);
  fake = fake_new();
  fake->ms_per_piece = 5000;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  check_succeeded(fake);
  CHECK(fake->largest_range == 4096 && fake->smallest_range < 2048);
}

static bool has_some(struct fake *fake) { return is_accepted(fake) && fake->agent.download.received_bytes > 13000; }

static void resumes(void) {
  struct fake *fake = fake_new();
  fake->ms_per_piece = 300;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_some, 1);
  fake_run(fake, has_result, 20);
  check_succeeded(fake);
  CHECK(strstr(fake_last(fake, RESULT)->payload, "\"resumes\":1") != NULL);
  CHECK(fake_said(fake, ACK, "") == 1);
}

static void survives_an_outage(void) {
  struct fake *fake = fake_new();
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_some, 1);
  fake->broker_down = true;
  fake->connected = false;
  fake->pending_event = OTA_MQTT_DISCONNECTED;
  fake->always.how = SERVE_NO_CONNECTION;
  fake_pass(fake, 30000);
  fake->broker_down = false;
  fake->always.how = SERVE_HONEST;
  fake_run(fake, has_result, 20);
  check_succeeded(fake);
}

static void refuses(void) {
  static const struct {
    const char *change, *code;
  } flaws[] = {
      {"http", "url_refused"},          {"stranger", "signature_invalid"}, {"forged", "signature_invalid"},
      {"payload", "manifest_invalid"},  {"hardware", "hardware_mismatch"}, {"component", "component_unknown"},
      {"downgrade", "downgrade_refused"}, {"size", "size_mismatch"},
  };
  for (size_t i = 0; i < sizeof flaws / sizeof flaws[0]; i++) {
    struct fake *fake = fake_new();
    fake_request(fake, DEPLOYMENT, 1, flaws[i].change);
    fake_request(fake, DEPLOYMENT, 1, flaws[i].change);
    fake_pass(fake, 5000);
    CHECK(fake_said(fake, ACK, "") == 1 && fake_said(fake, ACK, "\"accepted\":false") == 1);
    CHECK(strstr(fake_last(fake, ACK)->payload, flaws[i].code) != NULL);
    CHECK(fake->requests == 0 && fake_said(fake, RESULT, "") == 0);
  }
}

static void answers_bad_requests(void) {
  struct fake *fake = fake_new();
  fake_deliver(fake, "firmware/download/request", "{\"id\":\"r\",\"deployment\":\"" DEPLOYMENT "\",\"attempt\":1,\"url\":5}");
  fake_deliver(fake, "firmware/download/request",
               "{\"id\":\"r\",\"deployment\":\"" OTHER_DEPLOYMENT
               "\",\"attempt\":1,\"at\":null,\"url\":\"https://a/\",\"manifest\":\"e30.e30\",\"urlExpiresAt\":\"now\"}");
  fake_deliver(fake, "firmware/download/request", "{\"attempt\":1}");
  fake_deliver(fake, "firmware/download/request", "[1]");
  fake_deliver(fake, "firmware/download/request", "{\"attempt\":");
  fake_pass(fake, 5000);
  CHECK(fake_said(fake, ACK, "") == 2);
  CHECK(fake_said(fake, ACK, "url_refused") == 1 && fake_said(fake, ACK, "bad_request") == 1);
}

static void ignores_copies(void) {
  struct fake *fake = fake_new();
  for (int i = 0; i < 3; i++) fake_request(fake, DEPLOYMENT, 2, "");
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  fake_request(fake, DEPLOYMENT, 2, "");
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_pass(fake, 5000);
  check_succeeded(fake);
  CHECK(fake_said(fake, ACK, "") == 1 && fake_said(fake, RESULT, "") == 1 && fake->lives == 3);
}

static void is_done_at_once_when_it_runs_the_image(void) {
  struct fake *fake = update_with(SERVE_HONEST, 0);
  unsigned requests = fake->requests;
  fake_request(fake, OTHER_DEPLOYMENT, 1, "");
  fake_pass(fake, 5000);
  CHECK(fake_said(fake, RESULT, "\"outcome\":\"succeeded\"") == 2 && fake->requests == requests);
}

static void is_busy(void) {
  struct fake *fake = fake_new();
  fake->ms_per_piece = 100;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_some, 1);
  fake_request(fake, OTHER_DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  CHECK(fake_said(fake, ACK, "\"code\":\"busy\"") == 1);
  check_succeeded(fake);
}

static void goes_on_with_a_newer_attempt(void) {
  struct fake *fake = fake_new();
  fake->limits.checkpoint_chunks = 1;
  fake->ms_per_piece = 100;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_some, 1);
  fake_request(fake, DEPLOYMENT, 2, "forged");
  fake_request(fake, DEPLOYMENT, 3, "");
  fake_run(fake, has_result, 20);
  check_succeeded(fake);
  CHECK(fake_said(fake, ACK, "\"attempt\":2,\"accepted\":false") == 1);
  CHECK(strstr(fake_last(fake, RESULT)->payload, "\"attempt\":3") != NULL);
  // It kept what was staged.
  CHECK(fake_said(fake, PROGRESS, "\"attempt\":3,\"stage\":\"downloading\",\"receivedBytes\":0") == 0);
}

static void begins_anew_with_another_image(void) {
  struct fake *fake = fake_new();
  fake->limits.checkpoint_chunks = 1;
  fake->ms_per_piece = 100;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_some, 1);
  fake_make_image(fake, 20001, 99);
  fake_request(fake, DEPLOYMENT, 2, "");
  fake_run(fake, has_result, 20);
  check_succeeded(fake);
}

static enum ota_stage wanted_stage;
static bool is_in_stage(struct fake *fake) {
  return fake->agent.journal.state.job.stage == wanted_stage && fake_said(fake, ACK, "") > 0;
}

static void cancels_in_each_stage(void) {
  for (enum ota_stage stage = OTA_ACCEPTED; stage <= OTA_INSTALLING; stage++) {
    struct fake *fake = fake_new();
    fake_make_image(fake, 60000, 9);
    if (stage == OTA_ACCEPTED) fake->always.how = SERVE_SILENT;
    fake_request(fake, DEPLOYMENT, 1, "");
    wanted_stage = stage;
    fake_run(fake, is_in_stage, 1);
    fake_cancel(fake, DEPLOYMENT, 1);
    fake_cancel(fake, DEPLOYMENT, 1);
    // In the same life: nothing may depend on a boot.
    for (int i = 0; i < 2000; i++) fake->uptime += ota_agent_poll(&fake->agent) > 0 ? 1 : 0;
    CHECK(fake_said(fake, CANCEL_ACK, "\"cancelled\":true") == 2 && fake_said(fake, RESULT, "") == 0);
    CHECK(!fake->getting && fake->staging_bytes == 0 && fake->agent.work == OTA_WORK_NONE);
    fake->always.how = SERVE_HONEST;
    fake_request(fake, DEPLOYMENT, 1, "");
    fake_pass(fake, 5000);
    CHECK(fake_is_sound(fake) && !fake_runs_new_image(fake) && fake_said(fake, RESULT, "") == 0);
  }
}

static bool has_asked(struct fake *fake) { return fake_said(fake, "firmware/download/progress", "\"urlExpired\":true") >= 4; }

static void waits_for_a_url_until_it_is_told_to_stop(void) {
  struct fake *fake = fake_new();
  fake->always = (struct fake_answer){SERVE_STATUS, 403};
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_asked, 1);
  uint64_t began = fake->uptime;
  fake_pass(fake, 3600000);
  // With back-off: an hour of it is not a message a second.
  CHECK(fake->uptime - began >= 3600000 && fake_said(fake, "firmware/download/progress", "urlExpired") < 40);
  fake_request(fake, OTHER_DEPLOYMENT, 1, "");
  fake_pass(fake, 1000);
  CHECK(fake_said(fake, ACK, "\"code\":\"busy\"") == 1);
  fake_cancel(fake, DEPLOYMENT, 1);
  fake_pass(fake, 1000);
  CHECK(fake_said(fake, CANCEL_ACK, "\"cancelled\":true") == 1 && fake->agent.work == OTA_WORK_NONE);
  fake->always.how = SERVE_HONEST;
  fake_request(fake, OTHER_DEPLOYMENT, 2, "");
  fake_run(fake, has_result, 20);
  check_succeeded(fake);
}

static void remembers_an_early_cancel(void) {
  struct fake *fake = fake_new();
  fake_cancel(fake, DEPLOYMENT, 1);
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_pass(fake, 5000);
  CHECK(fake_said(fake, CANCEL_ACK, "unknown_deployment") == 1 && fake_said(fake, ACK, "") == 0);
}

static void is_too_late_to_cancel(void) {
  struct fake *fake = update_with(SERVE_HONEST, 0);
  fake_cancel(fake, DEPLOYMENT, 1);
  fake_pass(fake, 5000);
  CHECK(fake_said(fake, CANCEL_ACK, "\"cancelled\":false,\"error\":{\"code\":\"too_late\"") == 1);
}

static void rolls_back_a_failed_self_test(void) {
  struct fake *fake = fake_new();
  fake->self_test = OTA_ERR_INSTALL;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  CHECK(fake_said(fake, RESULT, "\"outcome\":\"rolled_back\"") == 1 && fake_is_sound(fake) && !fake_runs_new_image(fake));
  CHECK(strstr(fake_last(fake, RESULT)->payload, "self_test_failed") && fake->lives == 3);
  CHECK(strstr(fake_last(fake, RESULT)->payload, "\"version\":\"0.0.0\"") != NULL);
  CHECK(fake_said(fake, "status/health", "\"reason\":\"rollback\"") == 1);
}

static bool is_on_trial(struct fake *fake) { return fake->agent.on_trial && fake->active != fake->confirmed; }

static void rolls_back_without_a_connection(void) {
  struct fake *fake = fake_new();
  fake->self_test = OTA_ERR_BUSY;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, is_on_trial, 20);
  fake->self_test = OTA_OK;
  fake->broker_down = true;
  fake->connected = false;
  fake->pending_event = OTA_MQTT_DISCONNECTED;
  CHECK(!fake_live(fake, fake_is_quiet));
  CHECK(fake->active == fake->confirmed);
  fake->broker_down = false;
  fake_run(fake, has_result, 20);
  CHECK(fake_said(fake, RESULT, "no connection in time") == 1 && !fake_runs_new_image(fake));
}

static void fails_on_worn_storage(void) {
  struct fake *fake = fake_new();
  fake->slot_write_fails = true;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  check_failed(fake, "install_failed");
  fake = fake_new();
  fake->staging_write_fails = true;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  check_failed(fake, "storage_failed");
}

static void says_that_an_image_is_for_another_chip(void) {
  for (int in_slot = 0; in_slot < 2; in_slot++) {
    struct fake *fake = fake_new();
    if (in_slot) fake_stage_in_slot(fake);
    fake->image_is_foreign = true;
    fake_request(fake, DEPLOYMENT, 1, "");
    fake_run(fake, has_result, 20);
    check_failed(fake, "\"code\":\"install_failed\",\"message\":\"the image is for another chip\"");
    CHECK(fake->activations == 0);
  }
}

static void restarts_when_the_journal_fails(void) {
  struct fake *fake = fake_new();
  fake_pass(fake, 2000);
  fake->store_write_fails = true;
  fake_request(fake, DEPLOYMENT, 1, "");
  CHECK(!fake_live(fake, is_accepted));
  fake->store_write_fails = false;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 20);
  check_succeeded(fake);
}

static void updates_the_child(void) {
  struct fake *fake = fake_new();
  fake->has_child = true;
  fake_request(fake, DEPLOYMENT, 1, "child");
  fake_run(fake, has_result, 20);
  const char *running = "\"running\":{\"component\":\"uno\",\"hardware\":\"arduino-uno\"";
  CHECK(fake_said(fake, RESULT, running) == 1 && fake_said(fake, RESULT, "\"outcome\":\"succeeded\"") == 1);
  CHECK(fake->lives == 1);
  CHECK(memcmp(fake->child_flash, fake->image, fake->image_bytes) == 0 && !fake_runs_new_image(fake));
  fake_make_image(fake, 20001, 9);
  fake->child_self_test = OTA_ERR_INSTALL;
  fake_request(fake, OTHER_DEPLOYMENT, 1, "child");
  fake_pass(fake, 10000);
  CHECK(fake_said(fake, RESULT, "\"outcome\":\"failed\"") == 1 && fake_said(fake, RESULT, "self_test_failed") == 1);
}

/** Of an update of the child the power goes, and a program without one is flashed by cable. */
static void keeps_an_update_of_a_child_that_is_gone_from_the_main_slot(void) {
  struct fake *fake = fake_new();
  fake->has_child = true;
  fake->ms_per_piece = 300;
  fake_request(fake, DEPLOYMENT, 1, "child");
  fake_run(fake, has_some, 1);
  fake->has_child = false;
  fake_pass(fake, 60000);
  CHECK(fake_said(fake, RESULT, "") == 0);
  fake_request(fake, DEPLOYMENT, 2, "child");
  fake_pass(fake, 1000);
  CHECK(fake_said(fake, ACK, "\"attempt\":2,\"accepted\":false,\"error\":{\"code\":\"component_unknown\"") == 1);
  CHECK(fake->activations == 0 && fake_is_sound(fake));
}

static const struct test tests[] = {
    {"an update is downloaded over one connection, installed, booted and reported", updates},
    {"every bad answer of a file server is endured once", endures_bad_answers},
    {"a file server that never does better is given up, and the next attempt is another chance", gives_up_in_the_end},
    {"a refused URL is replaced by a fresh one, asked for until it comes", asks_for_fresh_urls},
    {"a file server that refuses every URL is given up", gives_up_after_many_urls},
    {"chunks grow on a fast network and shrink on a slow one, between floor and ceiling", adapts_its_chunks},
    {"a download goes on after a reset", resumes},
    {"an outage of everything only costs time", survives_an_outage},
    {"a request that is not for this device is refused once and downloads nothing", refuses},
    {"a request that cannot be carried out is answered when it names its attempt", answers_bad_requests},
    {"copies and older attempts of a known request change nothing", ignores_copies},
    {"an image that runs already is a success at once", is_done_at_once_when_it_runs_the_image},
    {"another deployment has to wait", is_busy},
    {"a newer attempt replaces the older one only with a good manifest, and keeps the staged bytes", goes_on_with_a_newer_attempt},
    {"a newer attempt with another image begins at its first byte", begins_anew_with_another_image},
    {"a cancel stops an update in every stage before the switch", cancels_in_each_stage},
    {"a device that gets no URL asks again, less and less often, and a cancel frees it", waits_for_a_url_until_it_is_told_to_stop},
    {"a cancel that overtook its request is remembered", remembers_an_early_cancel},
    {"a cancel after the boot is too late", is_too_late_to_cancel},
    {"an image that fails its self-test is rolled back", rolls_back_a_failed_self_test},
    {"an image that does not connect in time is rolled back", rolls_back_without_a_connection},
    {"storage that does not take the image fails the update, not the device", fails_on_worn_storage},
    {"an image for another chip fails the update in words, and is never switched to", says_that_an_image_is_for_another_chip},
    {"a journal that cannot be written restarts the device", restarts_when_the_journal_fails},
    {"a child component is installed without a reboot", updates_the_child},
    {"an update of a child that is gone never reaches the main slot", keeps_an_update_of_a_child_that_is_gone_from_the_main_slot},
};

RUN_TESTS(tests)
