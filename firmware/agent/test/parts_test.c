#include <string.h>

#include "../ota_delta.h"
#include "../ota_jws.h"
#include "../ota_journal.h"
#include "../ota_machine.h"
#include "../ota_manifest.h"
#include "../ota_pace.h"
#include "../ota_renewal.h"
#include "check.h"
#include "fake.h"

static void state_is_portable(void) {
  struct ota_state state = {.boot_count = 0x01020304, .next_reason = OTA_BOOT_COMMAND, .staging = 7};
  struct ota_state read;
  uint8_t data[OTA_STATE_BYTES];
  strcpy(state.job.attempt.deployment, DEPLOYMENT);
  state.job.stage = OTA_INSTALLING;
  state.job.attempt.number = UINT64_C(1) << 50;
  strcpy(state.job.image.version, "1.2.3");
  state.finished_count = OTA_FINISHED_MAX;
  for (unsigned i = 0; i < OTA_FINISHED_MAX; i++) {
    strcpy(state.finished[i].attempt.deployment, DEPLOYMENT);
    state.finished[i].how = OTA_ROLLED_BACK;
  }
  memset(state.job.image.version, 'v', OTA_VERSION_MAX);
  memset(state.renewal_id, 'r', OTA_ID_MAX);
  // One by one: as a whole, its padding would be anything, and is compared.
  state.job.deadline.unix_ms = UINT64_C(1) << 52;
  state.job.deadline.give_up = true;
  memset(state.job.rollback.message, 'm', OTA_FAILURE_MESSAGE_MAX);
  state.job.patch_bytes = 70000;
  state.job.patch_fault = OTA_PATCH_DIFFERS;
  int bytes = ota_state_encode(&state, data, sizeof data);
  CHECK(bytes > 0 && ota_state_decode(&read, data, (size_t)bytes) == OTA_OK);
  CHECK(memcmp(&state, &read, sizeof state) == 0);
  // Frozen: the next firmware reads what this one stored.
  static const uint8_t start[] = {1, 4, 3, 2, 1, OTA_BOOT_COMMAND, OTA_INSTALLING, 36, '7', 'b', '0', 'd'};
  CHECK(memcmp(data, start, sizeof start) == 0);
  // An older state, that ends before fields which were added since, and a newer one with more of them.
  const size_t patch = 5;
  const size_t deadline = 9 + patch;
  CHECK(ota_state_decode(&read, data, (size_t)bytes - patch) == OTA_OK && read.job.patch_bytes == 0 && read.job.deadline.give_up);
  CHECK(ota_state_decode(&read, data, (size_t)bytes - deadline) == OTA_OK && read.job.deadline.unix_ms == 0);
  CHECK(ota_state_decode(&read, data, (size_t)bytes - deadline - OTA_ID_MAX - 1) == OTA_OK && read.renewal_id[0] == '\0');
  memset(data + bytes, 0xff, sizeof data - (size_t)bytes);
  CHECK(ota_state_decode(&read, data, sizeof data) == OTA_OK);
  data[0] = 2;
  CHECK(ota_state_decode(&read, data, (size_t)bytes) == OTA_ERR_SCHEMA);
}

/** What a newer firmware stored, with values that this one has no name for. */
static void a_newer_state_keeps_what_is_understood(void) {
  struct ota_state state = {.boot_count = 9, .next_reason = OTA_BOOT_UPDATE, .staging = 7};
  struct ota_state read;
  uint8_t data[OTA_STATE_BYTES];
  strcpy(state.job.attempt.deployment, DEPLOYMENT);
  state.job.stage = OTA_DOWNLOADING;
  state.job.attempt.number = 3;
  state.finished_count = 2;
  strcpy(state.finished[1].attempt.deployment, OTHER_DEPLOYMENT);
  state.finished[1].how = OTA_FAILED;
  int bytes = ota_state_encode(&state, data, sizeof data);
  CHECK(bytes > 0);
  const size_t reason = 5;
  const size_t stage = 6;
  data[reason] = 200;
  data[stage] = 201;
  CHECK(ota_state_decode(&read, data, (size_t)bytes) == OTA_OK);
  CHECK(read.boot_count == 9 && read.next_reason == OTA_BOOT_UNKNOWN && read.staging == 7);
  // The job begins again with what is staged.
  CHECK(read.job.stage == OTA_ACCEPTED && read.job.attempt.number == 3);
  CHECK(read.finished_count == 2 && strcmp(read.finished[1].attempt.deployment, OTHER_DEPLOYMENT) == 0);
  // A component that it does not have: the job is dropped, and nothing else.
  const size_t component = stage + 1 + 1 + OTA_UUID_MAX + 8;
  CHECK(data[component] == OTA_MAIN);
  data[component] = 7;
  CHECK(ota_state_decode(&read, data, (size_t)bytes) == OTA_OK);
  CHECK(read.job.stage == OTA_IDLE && read.staging == 7 && read.finished_count == 2);
}

static void what_runs_has_been_installed(void) {
  struct ota_state state = {.boot_count = 1};
  struct ota_image running[OTA_COMPONENTS] = {{.size = 1, .sha256 = {1}}, {.size = 2}};
  state.job.image.sha256[0] = 1;
  for (enum ota_stage stage = OTA_ACCEPTED; stage <= OTA_REBOOTING; stage++) {
    state.job.stage = stage;
    ota_machine_after_boot(&state, running);
    CHECK(state.job.stage == OTA_REBOOTING);
  }
}

static void checkpoints_are_portable(void) {
  struct ota_checkpoint checkpoint = {1, 2, 3, 4, {5, 6, 7, 8}};
  struct ota_checkpoint read;
  uint8_t data[OTA_CHECKPOINT_BYTES];
  int bytes = ota_checkpoint_encode(&checkpoint, data, sizeof data);
  CHECK(bytes > 0 && ota_checkpoint_decode(&read, data, (size_t)bytes) == OTA_OK);
  CHECK(read.staging == 1 && read.received_bytes == 2 && read.stats.resumes == 8);
}

static void times_are_right(void) {
  static const struct {
    int64_t ms;
    const char *text;
  } times[] = {
      {0, "\"1970-01-01T00:00:00.000Z\""},
      {INT64_C(951782399999), "\"2000-02-28T23:59:59.999Z\""},
      {INT64_C(951782400000), "\"2000-02-29T00:00:00.000Z\""},
      {INT64_C(1777863721250), "\"2026-05-04T03:02:01.250Z\""},
      {INT64_C(4107542400000), "\"2100-03-01T00:00:00.000Z\""},
      {-1, "null"},
      {INT64_C(253402300800000), "null"},
  };
  char buffer[40];
  for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
    struct ota_text text;
    ota_text_begin(&text, buffer, sizeof buffer);
    ota_text_time(&text, times[i].ms);
    CHECK(ota_text_end(&text) > 0 && strcmp(buffer, times[i].text) == 0);
  }
}

static void strings_are_escaped_and_read_back(void) {
  char buffer[64];
  static struct ota_json json;
  struct ota_text text;
  ota_text_begin(&text, buffer, sizeof buffer);
  ota_text_raw(&text, "{\"a\":");
  ota_text_string(&text, "\"\\\n\x01 \xc3\xa9");
  ota_text_raw(&text, "}");
  int bytes = ota_text_end(&text);
  CHECK(bytes > 0 && ota_json_object(&json, buffer, (size_t)bytes) == OTA_OK);
  CHECK(strcmp(ota_json_string(&json, ota_json_member(&json, 0, "a")), "\"\\\n\x01 \xc3\xa9") == 0);
  ota_text_begin(&text, buffer, 8);
  ota_text_string(&text, "too long");
  CHECK(ota_text_end(&text) == OTA_ERR_SPACE);
  ota_text_copy(buffer, 4, "ab\xc3\xa9");
  CHECK(strcmp(buffer, "ab") == 0);
}

static void unicode_escapes_are_read(void) {
  static const struct {
    const char *json, *text;
  } strings[] = {
      {"{\"a\":\"\\u00e9\\u20ac\\ud83d\\ude00\\/\\b\\t\"}", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/\b\t"},
      {"{\"a\":\"\\ud83d\"}", NULL},
      {"{\"a\":\"\\ude00\"}", NULL},
      {"{\"a\":\"\\ud83d\\u0041\"}", NULL},
      {"{\"a\":\"x\\u0000\"}", NULL},
      {"{\"a\":1}", NULL},
      {"{\"b\":\"\"}", NULL},
  };
  static struct ota_json json;
  char buffer[64];
  for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
    strcpy(buffer, strings[i].json);
    CHECK(ota_json_object(&json, buffer, strlen(buffer)) == OTA_OK);
    const char *read = ota_json_string(&json, ota_json_member(&json, 0, "a"));
    CHECK(strings[i].text ? read && strcmp(read, strings[i].text) == 0 : !read);
  }
}

static void broken_json_is_refused(void) {
  static const char *const broken[] = {"",       "{",           "}",        "{\"a\":1", "{} {}",       "{}x",
                                       "[]",     "null",        "{\"a\":tru", "\xff",   "{\"a\":\"\xc0\xaf\"}",
                                       "{\"a\":\"\xed\xa0\x80\"}", "{1:2}",
                                       "{\"a\"::1}", "{\"a\":1,,\"b\":2}", "{,\"a\":1}", "{\"a\":1,}", "{\"a\" 1}",
                                       "{\"a\":1 \"b\":2}", "{\"a\":[1,,2]}", "{\"a\":[,1]}", "{\"a\":[1,]}", "{\"a\":[1 2]}",
                                       "{\"a\":[\"b\":1]}", "{\"a\"}", "{\"a\":}", "{\"a\":1]", "{\"a\":[1}}",
                                       "{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":-}", "{\"a\":1e}", "{\"a\":1e+}",
                                       "{\"a\":nul}", "{\"a\":truee}", "{\"a\":\"\n\"}", "{\"a\":{}:1}", "{\"a\":\"b\"\"c\"}",
                                       "{\"a\":1,{\"b\":2}}", "{\"\\x\":1}"};
  static struct ota_json json;
  char buffer[64];
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    strcpy(buffer, broken[i]);
    CHECK(ota_json_object(&json, buffer, strlen(buffer)) != OTA_OK);
  }
  static const char *const good[] = {"{}", " {\"a\":[]}\n", "{\"a\":[1,-2.5e+3,0,-0.1,[{}],null,true,false]}",
                                     "{ \"a\" : { \"b\" : [ ] } , \"c\" : \"\\u00e9\" }"};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    strcpy(buffer, good[i]);
    CHECK(ota_json_object(&json, buffer, strlen(buffer)) == OTA_OK);
  }
  // Depth costs tokens, of which there is a fixed number, and never stack.
  char deep[2100] = "{\"a\":";
  memset(deep + 5, '[', 2000);
  CHECK(ota_json_object(&json, deep, strlen(deep)) == OTA_ERR_SPACE);
  memset(deep + 5, '[', 100);
  memset(deep + 105, ']', 100);
  strcpy(deep + 205, "}");
  CHECK(ota_json_object(&json, deep, strlen(deep)) == OTA_OK);
  char many[400] = "{\"a\":[";
  for (int i = 0; i < 150; i++) strcat(many, "1,");
  strcat(many, "1]}");
  CHECK(ota_json_object(&json, many, strlen(many)) == OTA_ERR_SPACE);
}

static void numbers_are_whole_and_safe(void) {
  static const struct {
    const char *json;
    bool good;
  } numbers[] = {{"{\"a\":0}", true},          {"{\"a\":9007199254740991}", true}, {"{\"a\":9007199254740992}", false},
                 {"{\"a\":-1}", false},        {"{\"a\":1.5}", false},             {"{\"a\":01}", false},
                 {"{\"a\":1e3}", false},       {"{\"a\":\"1\"}", false},           {"{\"a\":99999999999999999999999}", false}};
  static struct ota_json json;
  char buffer[64];
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    uint64_t number = 0;
    strcpy(buffer, numbers[i].json);
    bool good = ota_json_object(&json, buffer, strlen(buffer)) == OTA_OK &&
                ota_json_whole(&json, ota_json_member(&json, 0, "a"), &number) == OTA_OK;
    CHECK(good == numbers[i].good);
  }
}

static int open_jws(const char *header, const char *payload, int signer, const char *suffix) {
  static struct ota_json json;
  char jws[1024];
  uint8_t out[512];
  struct fake *fake = fake_new();
  fake_sign(header, payload, signer, jws, sizeof jws);
  strcat(jws, suffix);
  return ota_jws_open(&fake->port, fake->keys, 2, &json, jws, out, sizeof out);
}

static void signatures_are_checked(void) {
  const char *header = "{\"alg\":\"ES256\",\"kid\":\"fw-0\"}";
  CHECK(open_jws(header, "{\"a\":1}", 0, "") == 7);
  CHECK(open_jws("{\"alg\":\"ES256\",\"kid\":\"fw-1\"}", "{}", 1, "") == 2);
  CHECK(open_jws("{\"alg\":\"ES256\",\"kid\":\"fw-1\"}", "{}", 0, "") == OTA_ERR_SIGNATURE);
  CHECK(open_jws("{\"alg\":\"ES256\",\"kid\":\"fw-9\"}", "{}", 0, "") == OTA_ERR_SIGNATURE);
  CHECK(open_jws("{\"alg\":\"ES256\"}", "{}", 0, "") == OTA_ERR_SIGNATURE);
  CHECK(open_jws("{\"alg\":\"none\",\"kid\":\"fw-0\"}", "{}", 0, "") == OTA_ERR_SIGNATURE);
  CHECK(open_jws("{\"alg\":\"HS256\",\"kid\":\"fw-0\"}", "{}", 0, "") == OTA_ERR_SIGNATURE);
  CHECK(open_jws("{\"alg\":\"ES256\",\"kid\":\"fw-0\",\"crit\":[\"b64\"],\"b64\":false}", "{}", 0, "") == OTA_ERR_SIGNATURE);
  CHECK(open_jws("[]", "{}", 0, "") == OTA_ERR_JWS);
  CHECK(open_jws(header, "{}", 0, "AA") == OTA_ERR_SIGNATURE);
  CHECK(open_jws(header, "{}", 0, ".x") == OTA_ERR_JWS);
  CHECK(open_jws(header, "{}", 2, "") == OTA_ERR_SIGNATURE);
}

static void the_fake_hashes_as_others_do(void) {
  static const uint8_t expected[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                     0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
  uint8_t digest[32];
  // FIPS 180-2, B.1 and B.2.
  fake_sha256((const uint8_t *)"abc", 3, digest);
  CHECK(memcmp(digest, expected, 32) == 0);
  fake_sha256((const uint8_t *)"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, digest);
  CHECK(digest[0] == 0x24 && digest[1] == 0x8d && digest[31] == 0xc1);
}

static void base64url_is_canonical(void) {
  uint8_t out[8];
  CHECK(ota_base64url("", 0, out, 8) == 0 && ota_base64url("QQ", 2, out, 8) == 1 && out[0] == 'A');
  CHECK(ota_base64url("QR", 2, out, 8) == OTA_ERR_JWS && ota_base64url("Q", 1, out, 8) == OTA_ERR_JWS);
  CHECK(ota_base64url("Q+", 2, out, 8) == OTA_ERR_JWS && ota_base64url("QQ==", 4, out, 8) == OTA_ERR_JWS);
  CHECK(ota_base64url("QUJD", 4, out, 2) == OTA_ERR_SPACE);
}

static void chunks_stay_in_bounds(void) {
  CHECK(ota_next_chunk(64, false, 10, 100, 1000, 16, 1024) == 128);
  CHECK(ota_next_chunk(1024, false, 10, 100, 1000, 16, 1024) == 1024);
  CHECK(ota_next_chunk(64, false, 500, 100, 1000, 16, 1024) == 64);
  CHECK(ota_next_chunk(64, false, 2000, 100, 1000, 16, 1024) == 32);
  CHECK(ota_next_chunk(16, true, 10, 100, 1000, 16, 1024) == 16);
  CHECK(ota_next_chunk(UINT32_MAX, false, 10, 100, 1000, 16, UINT32_MAX) == UINT32_MAX);
}

static void backoff_doubles_to_its_maximum(void) {
  struct fake *fake = fake_new();
  for (uint32_t tries = 0; tries < 100; tries++) {
    uint64_t full = tries < 7 ? UINT64_C(500) << tries : 60000;
    if (full > 60000) full = 60000;
    uint32_t pause = ota_backoff_ms(&fake->port, tries, 500, 60000);
    CHECK(pause >= full / 2 && pause <= full);
  }
}

static void renewal_is_due_before_the_end(void) {
  const int64_t day = INT64_C(24) * 3600 * 1000;
  struct ota_validity year = {0, 365 * day};
  struct ota_validity week = {day, 8 * day};
  CHECK(ota_renewal_due_ms(&year) == 335 * day);
  CHECK(ota_renewal_due_ms(&week) == 8 * day - 7 * day / 3);
}

static void an_incomplete_device_is_refused(void) {
  struct fake *fake = fake_new();
  struct ota_config config = {.port = &fake->port, .main = &fake->main, .keys = fake->keys, .key_count = 2};
  CHECK(ota_agent_init(&fake->agent, &config) == OTA_ERR_ARGUMENT && ota_agent_init(NULL, &config) == OTA_ERR_ARGUMENT);
}

static const struct test tests[] = {
    {"a state is read back, by this firmware, older and newer ones", state_is_portable},
    {"of a newer firmware's state everything is kept that is understood", a_newer_state_keeps_what_is_understood},
    {"a job whose image runs has been installed, whatever its stage was", what_runs_has_been_installed},
    {"a checkpoint is read back", checkpoints_are_portable},
    {"times are RFC 3339", times_are_right},
    {"strings are escaped, and read back", strings_are_escaped_and_read_back},
    {"Unicode escapes are read, and lone surrogates refused", unicode_escapes_are_read},
    {"broken JSON is refused", broken_json_is_refused},
    {"numbers are whole and below 2^53", numbers_are_whole_and_safe},
    {"a JWS is taken only with ES256, a known kid and its signature", signatures_are_checked},
    {"the test's own SHA-256 is SHA-256", the_fake_hashes_as_others_do},
    {"base64url has one spelling", base64url_is_canonical},
    {"chunks double and halve within their bounds", chunks_stay_in_bounds},
    {"back-off doubles to its maximum", backoff_doubles_to_its_maximum},
    {"a certificate is renewed 30 days, or a third of its life, before its end", renewal_is_due_before_the_end},
    {"a port or buffers that lack something are refused", an_incomplete_device_is_refused},
};

RUN_TESTS(tests)
