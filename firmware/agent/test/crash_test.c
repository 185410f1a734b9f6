/** Crash reports: told by the first boot that can, also by an image that never gets as far as being confirmed, and kept until then. */
#include <string.h>

#include "../crash.h"
#include "check.h"
#include "fake.h"

#define HEALTH "status/health"
#define ELF "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A core dump in flash: what it holds outlives the agent. */
static struct ota_crash dump;
static bool crashed;
static unsigned crashes;

static void health(void *ctx, struct ota_text *text) {
  (void)ctx;
  if (crashed) ota_crash_write(&dump, text);
}

static void crash_now(struct fake *fake) {
  dump = (struct ota_crash){.reason = "LoadProhibited", .task = "main", .elf = ELF, .pc = 0x400d1234, .depth = 2};
  (void)snprintf(dump.id, sizeof dump.id, "crash-%u", ++crashes);
  dump.backtrace[0] = 0x400d1234;
  dump.backtrace[1] = 0x40081000;
  crashed = true;
  longjmp(fake->power, 1);
}

static struct fake *new_device(void) {
  struct fake *fake = fake_new();
  crashed = false;
  crashes = 0;
  fake->port.health = health;
  return fake;
}

/** What a program does after each poll. */
static void poll_crash(struct fake *fake) {
  if (crashed && ota_crash_poll(&dump, &fake->agent)) crashed = false;
}

static bool crashes_at_once(struct fake *fake) {
  crash_now(fake);
  return true;
}

static bool is_quiet(struct fake *fake) {
  poll_crash(fake);
  return fake_is_quiet(fake);
}

static void tells_by_the_next_boot(void) {
  struct fake *fake = new_device();
  CHECK(!fake_live(fake, crashes_at_once));
  fake_run(fake, is_quiet, 1);
  CHECK(!crashed && fake_said(fake, HEALTH, "\"seq\":[2,") == 1);
  CHECK(strstr(fake_last(fake, HEALTH)->payload,
               ",\"crash\":{\"id\":\"crash-1\",\"reason\":\"LoadProhibited\",\"task\":\"main\",\"elf\":\"" ELF
               "\",\"pc\":\"0x400d1234\",\"backtrace\":[\"0x400d1234\",\"0x40081000\"]},\"boot\":{\"count\":2,") != NULL);
  // A boot without a crash says nothing of one.
  fake->sent_count = 0;
  fake_run(fake, is_quiet, 1);
  CHECK(fake_said(fake, HEALTH, "\"seq\":[3,") == 1 && fake_said(fake, HEALTH, "crash") == 0);
}

static void keeps_what_it_could_not_tell(void) {
  struct fake *fake = new_device();
  fake->broker_down = true;
  for (int i = 0; i < 3; i++) CHECK(!fake_live(fake, crashes_at_once));
  CHECK(fake->sent_count == 0);
  fake->broker_down = false;
  fake_run(fake, is_quiet, 1);
  for (int i = 1; i <= 3; i++) {
    char id[24];
    (void)snprintf(id, sizeof id, "\"id\":\"crash-%d\"", i);
    CHECK(fake_said(fake, HEALTH, id) == 1);
  }
}

static bool crashes_on_trial(struct fake *fake) {
  poll_crash(fake);
  if (fake->agent.on_trial && fake->connected && (crashes == 0 || dump.told)) crash_now(fake);
  return fake_is_quiet(fake) && fake_said(fake, RESULT, "outcome") > 0;
}

static void tells_before_it_goes_back(void) {
  struct fake *fake = new_device();
  fake->self_test = OTA_ERR_BUSY;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, crashes_on_trial, 20);
  CHECK(crashes == 3 && !crashed && !fake_runs_new_image(fake) && fake_is_sound(fake));
  // The first two by the image that crashes, while it was still on trial: no report that would attest it.
  for (int i = 1; i <= 2; i++) {
    char text[40];
    (void)snprintf(text, sizeof text, "\"crash\":{\"id\":\"crash-%d\"", i);
    CHECK(fake_said(fake, HEALTH, text) == 1);
  }
  for (unsigned i = 0; i < fake->sent_count; i++)
    if (strstr(fake->sent[i].payload, "crash-1") || strstr(fake->sent[i].payload, "crash-2"))
      CHECK(!strstr(fake->sent[i].payload, "\"seq\""));
  CHECK(strstr(fake_last(fake, HEALTH)->payload, "\"crash-3\"") && strstr(fake_last(fake, HEALTH)->payload, "\"reason\":\"rollback\"}"));
  CHECK(fake_said(fake, RESULT, "\"outcome\":\"rolled_back\"") == 1);
}

static bool crashes_unheard(struct fake *fake) {
  if (fake->agent.on_trial) crash_now(fake);
  poll_crash(fake);
  return fake_is_quiet(fake) && fake_said(fake, RESULT, "outcome") > 0;
}

static void the_old_image_tells_it(void) {
  struct fake *fake = new_device();
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, crashes_unheard, 20);
  CHECK(!crashed && !fake_runs_new_image(fake));
  CHECK(fake_said(fake, HEALTH, "\"crash\":{\"id\":\"crash-3\"") == 1 && fake_said(fake, HEALTH, "crash-") == 1);
}

static const char *written(struct ota_crash *crash, size_t capacity) {
  static char buffer[1024];
  struct ota_text text;
  ota_text_begin(&text, buffer, capacity);
  ota_text_raw(&text, "{");
  ota_crash_write(crash, &text);
  CHECK(ota_text_end(&text) > 0);
  return buffer;
}

static void writes_only_what_is_good(void) {
  struct ota_crash crash = {.id = "c", .reason = "a\"\x01\xff\n", .task = "\xc3(", .elf = "01234567", .corrupted = true};
  CHECK(strcmp(written(&crash, 1024), "{,\"crash\":{\"id\":\"c\",\"reason\":\"a\\\"???\",\"task\":\"?(\",\"elf\":\"01234567\",\"pc\":\"0x0\","
                                      "\"backtrace\":[],\"corrupted\":true}") == 0);
  crash = (struct ota_crash){.id = "c", .elf = "01234567", .pc = UINT64_MAX, .depth = 99};
  memset(crash.reason, '"', sizeof crash.reason - 1);
  memset(crash.backtrace, 0xff, sizeof crash.backtrace);
  CHECK(strlen(written(&crash, 1024)) < 700 && strstr(written(&crash, 1024), "\"pc\":\"0xffffffffffffffff\""));
  // The report itself matters more.
  CHECK(strcmp(written(&crash, strlen(written(&crash, 1024)) + 60), "{") == 0);
  memset(crash.elf, 0, sizeof crash.elf);
  CHECK(strcmp(written(&crash, 1024), "{") == 0);
  memset(crash.elf, 'g', sizeof crash.elf - 1);
  CHECK(strcmp(written(&crash, 1024), "{") == 0);
  crash = (struct ota_crash){.elf = "01234567", .reason = "no id"};
  CHECK(strcmp(written(&crash, 1024), "{") == 0);
}

static const struct test tests[] = {
    {"a crash is told by the report of the next boot, and by no other", tells_by_the_next_boot},
    {"crashes before there is a connection are all told when there is one", keeps_what_it_could_not_tell},
    {"an image that crashes on trial tells it before it is rolled back", tells_before_it_goes_back},
    {"an image that never connects is told of by the one that comes back", the_old_image_tells_it},
    {"a report that is no crash, or leaves no room, is left out", writes_only_what_is_good},
};

RUN_TESTS(tests)
