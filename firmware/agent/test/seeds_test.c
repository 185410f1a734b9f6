/**
 * Whole updates at the mercy of a seed: a hostile server, a broker that comes and goes, messages twice, a clock that jumps, and power
 * that goes in the middle of any write. In the end the device must have told the truth, once.
 */
#include "check.h"
#include "fake.h"
#include "stack.h"

static uint32_t state;

static uint32_t below(uint32_t limit) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % limit;
}

static bool chance(uint32_t percent) { return below(100) < percent; }

static void disturb_network(struct fake *fake) {
  static const struct fake_answer bad[] = {
      {SERVE_WHOLE, 0},     {SERVE_WHOLE_UNSIZED, 0}, {SERVE_STATUS, 404},      {SERVE_STATUS, 416},    {SERVE_STATUS, 500},
      {SERVE_STATUS, 503},  {SERVE_STATUS, 302},      {SERVE_CUT, 700},         {SERVE_STALL, 2000},    {SERVE_TRUNCATED, 100},
      {SERVE_SHORT, 1000},  {SERVE_OVERLONG, 0},      {SERVE_WRONG_RANGE, 0},   {SERVE_NO_RANGE, 0},    {SERVE_GZIP, 0},
      {SERVE_SILENT, 0},    {SERVE_WRONG_TOTAL, 0},   {SERVE_NO_CONNECTION, 0},
  };
  fake->piece_bytes = 100 + below(3000);
  fake->ms_per_piece = below(400);
  fake->answer_next = fake->answer_count = 0;
  for (uint32_t i = below(6); i > 0; i--) {
    const struct fake_answer *it = &bad[below(sizeof bad / sizeof bad[0])];
    if (chance(50)) fake_serve(fake, SERVE_HONEST, 0);
    fake_serve(fake, it->how, it->number);
  }
}

static void ask(struct fake *fake) {
  for (uint32_t i = 1 + below(3); i > 0; i--) fake_request(fake, DEPLOYMENT, 1, "");
  if (chance(20)) fake_request(fake, OTHER_DEPLOYMENT, 1, "stranger");
}

static bool cancelling;
static uint64_t disturbed_at;

/** Between two polls. */
static bool disturb(struct fake *fake) {
  if (fake->uptime < disturbed_at) return false;
  disturbed_at = fake->uptime + 1 + below(4000);
  if (chance(10) && fake->connected) {
    fake->connected = false;
    fake->pending_event = OTA_MQTT_DISCONNECTED;
  }
  if (chance(10)) fake->broker_down = !fake->broker_down;
  if (chance(10)) fake->clock_set = !fake->clock_set;
  if (chance(10)) fake->wall = below(90) * UINT64_C(86400000);
  if (chance(5)) fake->uptime += below(100000);
  if (chance(5)) fake->acking = !fake->acking;
  if (chance(10)) fake->install_wait = chance(50) ? OTA_NO : below(100000);
  if (chance(10)) fake->reboot_wait = chance(50) ? OTA_NO : below(100000);
  if (chance(20)) fake_request(fake, DEPLOYMENT, 1, "");
  if (cancelling && chance(5)) fake_cancel(fake, DEPLOYMENT, 1);
  return chance(3);
}

static bool is_settled(struct fake *fake) { return fake_is_quiet(fake) && fake->pending_key == 0; }

static void check_end(const struct fake *fake) {
  unsigned results = fake_said(fake, RESULT, "outcome");
  bool cancelled = fake_said(fake, CANCEL_ACK, "\"cancelled\":true") > 0;
  CHECK(fake_is_sound(fake) && results <= 1);
  CHECK(fake_said(fake, ACK, "\"deployment\":\"" DEPLOYMENT "\"") <= 1);
  // An accepted update ends: with a result, or with a cancel.
  if (fake_said(fake, ACK, "\"accepted\":true") > 0) CHECK((results == 1) != cancelled);
  bool succeeded = fake_said(fake, RESULT, "\"outcome\":\"succeeded\"") == 1;
  CHECK(fake_runs_new_image(fake) == succeeded);
  CHECK(fake->activations <= 1);
}

static void live_through(uint32_t seed) {
  struct fake *fake = fake_new();
  state = seed * 2654435761u + 1;
  if (seed % 2) fake_stage_in_slot(fake);
  fake->disorder = 1 + seed;
  fake_make_image(fake, 4000 + below(12000), seed);
  fake->limits.checkpoint_chunks = 1 + below(4);
  fake->limits.chunk_ceiling_bytes = 4096 << below(4);
  fake->late_disconnects = chance(50);
  fake->wall = below(90) * UINT64_C(86400000);
  if (chance(20)) fake->self_test = OTA_ERR_INSTALL;
  cancelling = chance(30);
  for (uint32_t lives = below(12); lives > 0; lives--) {
    disturb_network(fake);
    disturbed_at = fake->uptime;
    ask(fake);
    fake->armed = chance(80);
    fake->cut_at = fake->writes + 1 + below(60);
    (void)fake_live(fake, disturb);
  }
  fake->armed = false;
  fake->broker_down = false;
  fake->acking = true;
  fake->install_wait = fake->reboot_wait = OTA_NOW;
  fake->answer_next = fake->answer_count = 0;
  // A URL that was lost with the power is asked for, and the webhook answers.
  static char fresh[4096];
  strcpy(fresh, fake_request_text(fake, DEPLOYMENT, 1, "", "https://files.example.com/app.bin?s=1"));
  fake->fresh_request = fresh;
  for (int i = 0; i < 3; i++) {
    fake_run(fake, is_settled, 30);
    fake_request(fake, DEPLOYMENT, 1, "");
  }
  fake_run(fake, is_settled, 30);
  check_end(fake);
}

int main(int argc, char **argv) {
  uint32_t first = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1;
  uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 300;
  for (uint32_t seed = first; seed < first + count; seed++) {
    check_seed = seed;
    live_through(seed);
  }
  printf("%lu seeds hold; stack %lu\n", (unsigned long)count, (unsigned long)stack_deepest());
  return 0;
}
