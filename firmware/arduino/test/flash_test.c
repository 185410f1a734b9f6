/* The programmer against the real optiboot on a simulated ATmega328P. Arguments: optiboot's code, a sketch, its successor. */
#include <openssl/evp.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "wire.h"

struct file {
  uint8_t bytes[STK500_MAX_IMAGE_BYTES];
  size_t size;
};

static struct file first_sketch;
static struct file second_sketch;
static struct simulated_uno uno;

static void load(const char *path, struct file *file) {
  FILE *stream = fopen(path, "rb");
  CHECK(stream);
  file->size = fread(file->bytes, 1, sizeof file->bytes, stream);
  CHECK(file->size > 3 * STK500_PAGE_BYTES && feof(stream));
  CHECK_EQUAL(fclose(stream), 0);
}

/* One run of the programmer and what it told. */
struct run {
  const struct file *file;
  EVP_MD_CTX *digest;
  uint32_t verified_bytes;
  uint32_t written_bytes;
  bool left;
  /* What happens once, when so much is written. */
  uint32_t at_bytes;
  void (*happens)(struct run *run);
  int read_fails_from; /* offset + 1 */
  int sink_fails_from;
  struct stk500_report report;
};

static int read_image(void *context, uint32_t offset, uint8_t *data, size_t size) {
  const struct run *run = context;
  if (run->read_fails_from > 0 && offset >= (uint32_t)run->read_fails_from) return -1;
  CHECK(offset + size <= run->file->size);
  memcpy(data, run->file->bytes + offset, size);
  return 0;
}

static int take_verified(void *context, uint32_t offset, const uint8_t *data, size_t size) {
  struct run *run = context;
  if (run->sink_fails_from > 0 && offset >= (uint32_t)run->sink_fails_from) return -1;
  if (offset == 0) {
    run->verified_bytes = 0;
    CHECK(EVP_DigestInit_ex(run->digest, EVP_sha256(), NULL));
  }
  CHECK_EQUAL(offset, run->verified_bytes);
  CHECK(EVP_DigestUpdate(run->digest, data, size));
  run->verified_bytes += (uint32_t)size;
  return 0;
}

static void take_progress(void *context, enum stk500_stage stage, uint32_t done, uint32_t size) {
  struct run *run = context;
  CHECK(done <= size && size == run->file->size);
  if (stage == STK500_STAGE_CONNECT) run->written_bytes = 0;
  if (stage == STK500_STAGE_LEAVE) run->left = true;
  if (stage != STK500_STAGE_WRITE) return;
  CHECK(done > run->written_bytes);
  run->written_bytes = done;
  if (!run->happens || done < run->at_bytes) return;
  void (*happens)(struct run *) = run->happens;
  run->happens = NULL;
  happens(run);
}

static int flash_over(struct wire *wire, const struct file *file, struct run *run) {
  run->file = file;
  run->digest = EVP_MD_CTX_new();
  CHECK(run->digest);
  const struct stk500_line line = wire_line(wire);
  const struct stk500_image image = {.context = run,
                                     .size_bytes = (uint32_t)file->size,
                                     .read = read_image,
                                     .verified = take_verified,
                                     .progress = take_progress};
  const int error = stk500_flash(&line, &image, &run->report);
  uint8_t read_back[32];
  uint8_t wanted[32];
  if (!error) {
    CHECK(EVP_DigestFinal_ex(run->digest, read_back, NULL));
    CHECK(EVP_Digest(file->bytes, file->size, wanted, NULL, EVP_sha256(), NULL));
    CHECK_EQUAL(memcmp(read_back, wanted, sizeof wanted), 0);
    CHECK_EQUAL(run->verified_bytes, file->size);
    CHECK(run->left);
  }
  EVP_MD_CTX_free(run->digest);
  return error;
}

static void expect_version(const char *version) {
  const struct wire wire = {.uno = &uno};
  const struct uno_line line = wire_listen(&wire, 3000);
  CHECK_EQUAL(line.kind, UNO_LINE_VERSION);
  CHECK_EQUAL(strcmp(line.version, version), 0);
  CHECK_EQUAL(line.security_version, 1);
}

static void expect_standstill(void) {
  const struct wire wire = {.uno = &uno};
  uno_cycle_power(&uno);
  CHECK_EQUAL(wire_listen(&wire, 300).kind, UNO_LINE_OTHER);
  for (size_t i = 0; i < STK500_PAGE_BYTES; i += 2) {
    CHECK_EQUAL(uno_flash(&uno)[i], 0xFF);
    CHECK_EQUAL(uno_flash(&uno)[i + 1], 0xCF);
  }
  CHECK_EQUAL(uno_servo_pulse_us(&uno), 0);
}

static void expect_recovery(const struct file *file, const char *version) {
  struct wire wire = {.uno = &uno};
  struct run run = {0};
  CHECK_EQUAL(flash_over(&wire, file, &run), STK500_OK);
  CHECK_EQUAL(memcmp(uno_flash(&uno), file->bytes, file->size), 0);
  expect_version(version);
}

static void cycle_power(struct run *run) {
  (void)run;
  uno_cycle_power(&uno);
}
static void kill_programmer(struct run *run) {
  (void)run;
  CHECK_EQUAL(raise(SIGKILL), 0);
}
/* In a page that was written and read back before. */
static void let_a_cell_fail(struct run *run) {
  (void)run;
  uno_corrupt_flash(&uno, 2 * STK500_PAGE_BYTES + 5, 0x10);
}

/* ---- what is promised ---- */

static void a_blank_uno_is_flashed_verified_and_left_and_its_sketch_runs(void) {
  struct wire wire = {.uno = &uno};
  CHECK_EQUAL(wire_listen(&wire, 100).kind, UNO_LINE_OTHER);
  struct run run = {0};
  CHECK_EQUAL(flash_over(&wire, &first_sketch, &run), STK500_OK);
  CHECK_EQUAL(run.report.pages_rewritten, 0);
  expect_version("1.0.0");
}

static void the_sketch_answers_the_requests_of_its_protocol(void) {
  const struct wire wire = {.uno = &uno};
  uno_set_sensor_mv(&uno, 735);
  wire_say(&wire, "version?\n");
  expect_version("1.0.0");
  wire_say(&wire, "temperature?\r\n");
  struct uno_line line = wire_listen(&wire, 2000);
  CHECK_EQUAL(line.kind, UNO_LINE_TEMPERATURE);
  /* One step of the converter is 4.9 mV, half a degree. */
  CHECK(line.tenths >= 230 && line.tenths <= 240);
  uno_set_sensor_mv(&uno, 400);
  wire_say(&wire, "temperature?\n");
  line = wire_listen(&wire, 2000);
  CHECK_EQUAL(line.kind, UNO_LINE_TEMPERATURE);
  CHECK(line.tenths >= -105 && line.tenths <= -95);

  CHECK_EQUAL(uno_servo_pulse_us(&uno), 0);
  const struct {
    const char *request;
    uint32_t degrees;
    uint32_t pulse_us;
  } turns[] = {{"servo 0\n", 0, 1000}, {"servo 90\n", 90, 1500}, {"servo 180\n", 180, 2000}};
  for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
    wire_say(&wire, turns[i].request);
    line = wire_listen(&wire, 2000);
    CHECK_EQUAL(line.kind, UNO_LINE_SERVO);
    CHECK_EQUAL(line.degrees, turns[i].degrees);
    CHECK_EQUAL(uno_servo_pulse_us(&uno), turns[i].pulse_us);
  }
  const char *refused[] = {"servo 181\n", "servo \n",   "servo -1\n",
                           "servo 9x\n",  "reboot\n",   "a line that is longer than the sketch's whole buffer\n"};
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    wire_say(&wire, refused[i]);
    CHECK_EQUAL(wire_listen(&wire, 2000).kind, UNO_LINE_ERROR);
    CHECK_EQUAL(uno_servo_pulse_us(&uno), 2000);
  }
}

static void what_the_uno_runs_can_be_read_back_and_it_starts_again(void) {
  struct wire wire = {.uno = &uno};
  struct run run = {.file = &first_sketch, .digest = EVP_MD_CTX_new()};
  const struct stk500_line line = wire_line(&wire);
  CHECK_EQUAL(stk500_read_flash(&line, (uint32_t)first_sketch.size, &run, take_verified), STK500_OK);
  uint8_t read_back[32];
  uint8_t wanted[32];
  CHECK(EVP_DigestFinal_ex(run.digest, read_back, NULL));
  CHECK(EVP_Digest(first_sketch.bytes, first_sketch.size, wanted, NULL, EVP_sha256(), NULL));
  CHECK_EQUAL(memcmp(read_back, wanted, sizeof wanted), 0);
  EVP_MD_CTX_free(run.digest);
  expect_version("1.0.0");
}

static void a_programmer_killed_half_way_leaves_a_uno_that_stands_still_and_the_next_run_recovers_it(void) {
  const pid_t programmer = fork();
  CHECK(programmer >= 0);
  if (programmer == 0) {
    struct wire wire = {.uno = &uno};
    struct run run = {.at_bytes = (uint32_t)second_sketch.size / 2, .happens = kill_programmer};
    (void)flash_over(&wire, &second_sketch, &run);
    _exit(0);
  }
  int status = 0;
  CHECK_EQUAL(waitpid(programmer, &status, 0), programmer);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  expect_standstill();
  expect_recovery(&second_sketch, "2.0.0");
}

static void a_uno_without_power_half_way_is_begun_with_again_in_the_same_run(void) {
  struct wire wire = {.uno = &uno};
  struct run run = {.at_bytes = (uint32_t)first_sketch.size / 2, .happens = cycle_power};
  CHECK_EQUAL(flash_over(&wire, &first_sketch, &run), STK500_OK);
  CHECK(run.report.attempts >= 2);
  expect_version("1.0.0");
}

static void a_byte_corrupted_on_the_wire_is_found_and_only_its_page_is_written_again(void) {
  struct wire wire = {.uno = &uno, .flip_address = 5 * STK500_PAGE_BYTES, .flip_times = 1};
  struct run run = {0};
  CHECK_EQUAL(flash_over(&wire, &second_sketch, &run), STK500_OK);
  CHECK_EQUAL(run.report.pages_rewritten, 1);
  expect_version("2.0.0");
}

static void a_byte_corrupted_every_time_ends_as_verify_and_the_mixture_never_runs(void) {
  struct wire wire = {.uno = &uno, .flip_address = STK500_PAGE_BYTES, .flip_times = UINT32_MAX};
  struct run run = {0};
  CHECK_EQUAL(flash_over(&wire, &first_sketch, &run), STK500_ERR_VERIFY);
  CHECK_EQUAL(run.report.attempts, 3);
  CHECK_EQUAL(run.verified_bytes, 0);
  expect_standstill();
}

static void a_cell_that_fails_after_its_page_was_checked_is_found_by_the_last_reading(void) {
  struct wire wire = {.uno = &uno};
  struct run run = {.at_bytes = (uint32_t)first_sketch.size, .happens = let_a_cell_fail};
  CHECK_EQUAL(flash_over(&wire, &first_sketch, &run), STK500_OK);
  CHECK(run.report.attempts >= 2);
  expect_version("1.0.0");
}

static void a_lost_answer_and_the_old_sketchs_chatter_do_not_matter(void) {
  /* The 60 ms after the reset eat the chatter's head; the rest runs into the sync and holds a false INSYNC. */
  static const char chatter[] = "temperature 23.5\r\n\x14\x14temperature 23.5\r\ntemperature 23.5\r\nversion 1.";
  struct wire wire = {.uno = &uno, .lose_byte = 400, .chatter = chatter};
  struct run run = {0};
  CHECK_EQUAL(flash_over(&wire, &second_sketch, &run), STK500_OK);
  CHECK(run.report.attempts >= 2);
  expect_version("2.0.0");
}

static void an_image_that_ends_early_or_a_refused_digest_leaves_a_uno_that_stands_still(void) {
  struct wire wire = {.uno = &uno};
  struct run run = {.read_fails_from = 4 * STK500_PAGE_BYTES};
  CHECK_EQUAL(flash_over(&wire, &first_sketch, &run), STK500_ERR_SOURCE);
  expect_standstill();
  run = (struct run){.sink_fails_from = (int)first_sketch.size - STK500_PAGE_BYTES};
  CHECK_EQUAL(flash_over(&wire, &first_sketch, &run), STK500_ERR_SINK);
  CHECK(!run.left);
  expect_standstill();
  expect_recovery(&first_sketch, "1.0.0");
}

static void another_chip_is_refused_before_anything_is_written(void) {
  struct wire wire = {.uno = &uno, .flip_signature = 0x1B};
  struct run run = {0};
  CHECK_EQUAL(flash_over(&wire, &second_sketch, &run), STK500_ERR_SIGNATURE);
  CHECK_EQUAL(wire.pages, 0);
  expect_version("1.0.0");
}

static void what_is_no_avr_image_is_refused_before_the_uno_is_touched(void) {
  static struct file file;
  const char hex[] = ":100000000C945D000C9485000C9485000C94850084\n";
  memcpy(file.bytes, hex, sizeof hex);
  file.size = sizeof hex;
  struct wire wire = {.uno = &uno};
  struct run run = {0};
  CHECK_EQUAL(flash_over(&wire, &file, &run), STK500_ERR_IMAGE);
  file.size = 0;
  CHECK_EQUAL(flash_over(&wire, &file, &run), STK500_ERR_ARGUMENT);
  CHECK_EQUAL(wire.resets, 0);
}

static void a_broken_line_is_a_coded_error(void) {
  struct wire wire = {.uno = &uno, .cut = true};
  struct run run = {0};
  CHECK_EQUAL(flash_over(&wire, &second_sketch, &run), STK500_ERR_LINE);
}

static void a_uno_that_does_not_answer_is_a_coded_error_within_six_seconds(void) {
  uno_hold_in_reset(&uno, true);
  const uint32_t started = uno_now_ms(&uno);
  struct wire wire = {.uno = &uno};
  struct run run = {0};
  /* Not pressed but held, so the wire's own reset changes nothing. */
  CHECK_EQUAL(flash_over(&wire, &second_sketch, &run), STK500_ERR_NO_SYNC);
  CHECK_EQUAL(run.report.attempts, 3);
  CHECK(uno_now_ms(&uno) - started < 6000);
  uno_hold_in_reset(&uno, false);
}

#define RUN(promise)              \
  do {                            \
    const uint32_t started = uno_now_ms(&uno); \
    promise();                    \
    (void)printf("ok - %s (%u ms)\n", #promise, uno_now_ms(&uno) - started); \
    (void)fflush(stdout);         \
  } while (0)

int main(int argc, char **argv) {
  CHECK_EQUAL(argc, 4);
  load(argv[2], &first_sketch);
  load(argv[3], &second_sketch);
  uno = uno_start(argv[1]);
  RUN(a_blank_uno_is_flashed_verified_and_left_and_its_sketch_runs);
  RUN(the_sketch_answers_the_requests_of_its_protocol);
  RUN(what_the_uno_runs_can_be_read_back_and_it_starts_again);
  RUN(a_programmer_killed_half_way_leaves_a_uno_that_stands_still_and_the_next_run_recovers_it);
  RUN(a_uno_without_power_half_way_is_begun_with_again_in_the_same_run);
  RUN(a_byte_corrupted_on_the_wire_is_found_and_only_its_page_is_written_again);
  RUN(a_byte_corrupted_every_time_ends_as_verify_and_the_mixture_never_runs);
  RUN(a_cell_that_fails_after_its_page_was_checked_is_found_by_the_last_reading);
  RUN(a_lost_answer_and_the_old_sketchs_chatter_do_not_matter);
  RUN(an_image_that_ends_early_or_a_refused_digest_leaves_a_uno_that_stands_still);
  RUN(another_chip_is_refused_before_anything_is_written);
  RUN(what_is_no_avr_image_is_refused_before_the_uno_is_touched);
  RUN(a_broken_line_is_a_coded_error);
  RUN(a_uno_that_does_not_answer_is_a_coded_error_within_six_seconds);
  uno_stop(&uno);
  return 0;
}
