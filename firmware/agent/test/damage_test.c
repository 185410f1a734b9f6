/** Storage that is lost, damaged, or written by another firmware. */
#include <string.h>

#include "check.h"
#include "fake.h"

static void boots_go_on_counting_without_the_journal(void) {
  struct fake *fake = fake_new();
  for (int i = 0; i < 4; i++) fake_pass(fake, 2000);
  CHECK(fake_said(fake, "status/health", "\"count\":4") == 1);
  fake->store_bytes[OTA_STORE_JOURNAL] = OTA_ERR_ABSENT;
  fake_pass(fake, 2000);
  CHECK(fake_said(fake, "status/health", "\"seq\":[5,0]") == 1 && fake_said(fake, "status/health", "\"count\":5") == 1);
}

/** The epoch of the newest boot report, which must be the one of that count. */
static const char *epoch_of_boot(struct fake *fake, unsigned count) {
  static char epochs[8][17];
  static unsigned next;
  char expected[32];
  fake_pass(fake, 2000);
  const struct fake_message *report = fake_last(fake, "status/health");
  snprintf(expected, sizeof expected, "\"boot\":{\"count\":%u,", count);
  CHECK(report && strstr(report->payload, expected));
  char *epoch = epochs[next++ % 8];
  const char *at = strstr(report->payload, ",\"epoch\":\"");
  CHECK(at && sscanf(at, ",\"epoch\":\"%16[A-Za-z0-9_-]\"", epoch) == 1 && strlen(epoch) == 16);
  return epoch;
}

static void one_of_two_copies_is_enough(void) {
  struct fake *fake = fake_new();
  const char *epoch = epoch_of_boot(fake, 1);
  for (unsigned boot = 2; boot < 20; boot++) {
    enum ota_store_key damaged = boot % 2 ? OTA_STORE_KEEP : OTA_STORE_KEEP_COPY;
    fake->store_bytes[OTA_STORE_JOURNAL] = OTA_ERR_ABSENT;
    if (boot % 3 == 0) fake->store_bytes[damaged] = OTA_ERR_ABSENT;
    else fake->stores[damaged][boot] ^= 1;
    CHECK(strcmp(epoch_of_boot(fake, boot), epoch) == 0);
  }
}

static void a_new_epoch_begins_when_all_is_lost(void) {
  struct fake *fake = fake_new();
  const char *epoch = epoch_of_boot(fake, 1);
  CHECK(strcmp(epoch_of_boot(fake, 2), epoch) == 0);
  for (unsigned i = 0; i < OTA_STORE_KEYS; i++) fake->store_bytes[i] = OTA_ERR_ABSENT;
  CHECK(strcmp(epoch_of_boot(fake, 1), epoch) != 0);
}

/** As after an update from a firmware that knew only the journal. */
static void the_journal_alone_is_enough_to_go_on_counting(void) {
  struct fake *fake = fake_new();
  for (unsigned boot = 1; boot < 4; boot++) (void)epoch_of_boot(fake, boot);
  fake->store_bytes[OTA_STORE_KEEP] = fake->store_bytes[OTA_STORE_KEEP_COPY] = OTA_ERR_ABSENT;
  (void)epoch_of_boot(fake, 4);
}

static void the_security_floor_survives_the_record_of_the_slots(void) {
  struct fake *fake = fake_new();
  fake_pass(fake, 2000);
  fake->slots[0].image.security_version = 0;
  fake->store_bytes[OTA_STORE_JOURNAL] = OTA_ERR_ABSENT;
  fake_request(fake, DEPLOYMENT, 1, "downgrade");
  fake_pass(fake, 5000);
  CHECK(fake_said(fake, ACK, "downgrade_refused") == 1);
}

/** A stored journal with 20 messages or so, and its size. */
static int fill_journal(struct fake *fake) {
  fake->acking = false;
  for (int i = 0; i < 22; i++) {
    char text[200];
    snprintf(text, sizeof text, "{\"id\":\"p-%d\",\"at\":null,\"command\":\"identify\"}", i);
    fake_deliver(fake, "control/command", text);
  }
  fake_pass(fake, 5000);
  return fake->store_bytes[OTA_STORE_JOURNAL];
}

static void a_smaller_journal_takes_what_fits(void) {
  struct fake *fake = fake_new();
  int stored = fill_journal(fake);
  for (size_t capacity = (size_t)stored; capacity < (size_t)stored + 4000; capacity += 100) {
    // Of exactly its size, so that the sanitizer sees every byte too far.
    uint8_t *data = malloc(capacity);
    struct ota_journal journal;
    CHECK(data && ota_journal_load(&journal, &fake->port, data, capacity) == OTA_OK);
    CHECK(journal.count > 0 && ota_journal_store(&journal) == OTA_OK);
    for (int i = 0; i < 3; i++) {
      struct ota_text *text = ota_journal_begin(&journal, OTA_UP_RESULT, NULL);
      while (text->bytes < 1500) ota_text_raw(text, ",\"x\":1234567");
      CHECK(ota_journal_end(&journal) == OTA_OK && ota_journal_store(&journal) == OTA_OK);
    }
    free(data);
  }
}

static void a_newer_firmwares_messages_cost_no_others(void) {
  struct fake *fake = fake_new();
  fake->acking = false;
  fake_request(fake, DEPLOYMENT, 1, "hardware");
  fake_pass(fake, 2000);
  uint8_t *data = fake->stores[OTA_STORE_JOURNAL];
  // The boot report comes first; it becomes one on a topic that this firmware does not have. Without its mark, nothing is summed.
  const size_t topic = 5 + 2;
  CHECK(data[topic] == OTA_UP_HEALTH);
  data[topic] = 200;
  fake->store_bytes[OTA_STORE_JOURNAL] -= 8;
  fake->sent_count = 0;
  fake->acking = true;
  fake_run(fake, fake_is_quiet, 2);
  CHECK(fake_said(fake, ACK, "hardware_mismatch") == 1 && fake_said(fake, "status/health", "\"count\":2") == 1);
}

/** Of so many bits: on an emulated processor each takes a while, and what finds them out is the same code. */
#if defined(__arm__) || defined(__riscv)
enum { flipped_every = 16 };
#else
enum { flipped_every = 1 };
#endif

static void a_damaged_journal_is_found_out(void) {
  struct fake *fake = fake_new();
  int stored = fill_journal(fake);
  uint8_t *data = fake->stores[OTA_STORE_JOURNAL];
  unsigned believed = 0;
  for (int at = 0; at < stored; at += flipped_every) {
    uint8_t copy[12 * 1024];
    struct ota_journal journal;
    data[at] ^= 4;
    CHECK(ota_journal_load(&journal, &fake->port, copy, sizeof copy) == OTA_OK);
    if (journal.count > 0) believed++;
    data[at] ^= 4;
  }
  fprintf(stderr, "    %u of %d flipped bits were not seen\n", believed, stored / flipped_every);
  CHECK(believed <= 4);
}

static const struct test tests[] = {
    {"boots go on counting when the journal is lost", boots_go_on_counting_without_the_journal},
    {"one of the two copies of what is kept is enough", one_of_two_copies_is_enough},
    {"a new epoch begins when all is lost", a_new_epoch_begins_when_all_is_lost},
    {"the journal alone is enough to go on counting", the_journal_alone_is_enough_to_go_on_counting},
    {"messages of a newer firmware cost no others", a_newer_firmwares_messages_cost_no_others},
    {"the security floor is kept apart from what the slots say", the_security_floor_survives_the_record_of_the_slots},
    {"a firmware with a smaller journal takes what fits of the old one", a_smaller_journal_takes_what_fits},
    {"a flipped bit in the journal is found out", a_damaged_journal_is_found_out},
};

RUN_TESTS(tests)
