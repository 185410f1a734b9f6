#include "stk500.h"

#include <stdbool.h>
#include <string.h>

enum {
  ANSWER_OK = 0x10,
  ANSWER_INSYNC = 0x14,
  END_OF_COMMAND = 0x20,
  COMMAND_GET_SYNC = 0x30,
  COMMAND_ENTER_PROGMODE = 0x50,
  COMMAND_LEAVE_PROGMODE = 0x51,
  COMMAND_LOAD_ADDRESS = 0x55,
  COMMAND_PROG_PAGE = 0x64,
  COMMAND_READ_PAGE = 0x74,
  COMMAND_READ_SIGN = 0x75,

  /* optiboot flashes its LED for 0.4 s before it reads its first byte, and gives up 1 s after the last one. */
  SYNC_TIMEOUT_MS = 500,
  SYNC_TRIES = 3,
  ANSWER_TIMEOUT_MS = 500,
  QUIET_MS = 20,
  /* Old output of the sketch is thrown away for so long after a reset, and the UART is surely on when it is over. */
  BOOT_MS = 60,

  ATTEMPTS = 3,
  PAGE_TRIES = 3,
};

static const uint8_t atmega328p_signature[3] = {0x1E, 0x95, 0x0F};

const char *stk500_error_name(int error) {
  switch (error) {
    case STK500_OK: return "ok";
    case STK500_ERR_ARGUMENT: return "argument";
    case STK500_ERR_IMAGE: return "image";
    case STK500_ERR_SOURCE: return "source";
    case STK500_ERR_SINK: return "sink";
    case STK500_ERR_LINE: return "line";
    case STK500_ERR_NO_SYNC: return "no_sync";
    case STK500_ERR_TIMEOUT: return "timeout";
    case STK500_ERR_PROTOCOL: return "protocol";
    case STK500_ERR_SIGNATURE: return "signature";
    case STK500_ERR_VERIFY: return "verify";
    default: return "unknown";
  }
}

/* ---- the line ---- */

static int send(const struct stk500_line *line, const uint8_t *data, size_t size) {
  return line->write(line->context, data, size) < 0 ? STK500_ERR_LINE : STK500_OK;
}

static int receive(const struct stk500_line *line, uint8_t *data, size_t size, uint32_t timeout_ms) {
  const uint32_t started = line->now_ms(line->context);
  size_t got = 0;
  while (got < size) {
    const uint32_t spent = line->now_ms(line->context) - started;
    if (spent >= timeout_ms) return STK500_ERR_TIMEOUT;
    const int n = line->read(line->context, data + got, size - got, timeout_ms - spent);
    if (n < 0 || (size_t)n > size - got) return STK500_ERR_LINE;
    if (n == 0) return STK500_ERR_TIMEOUT;
    got += (size_t)n;
  }
  return STK500_OK;
}

/* Throws away what comes until nothing has come for quiet_ms, for at most limit_ms in all. */
static int drain(const struct stk500_line *line, uint32_t quiet_ms, uint32_t limit_ms) {
  const uint32_t started = line->now_ms(line->context);
  uint8_t waste[32];
  for (;;) {
    const uint32_t spent = line->now_ms(line->context) - started;
    if (spent >= limit_ms) return STK500_OK;
    const uint32_t left = limit_ms - spent;
    const int n = line->read(line->context, waste, sizeof waste, quiet_ms < left ? quiet_ms : left);
    if (n < 0 || (size_t)n > sizeof waste) return STK500_ERR_LINE;
    if (n == 0) return STK500_OK;
  }
}

/* Sends one command (with its END_OF_COMMAND) and reads its whole answer. */
static int exchange(const struct stk500_line *line, const uint8_t *command, size_t command_size, uint8_t *answer,
                    size_t answer_size) {
  int error = send(line, command, command_size);
  if (error) return error;
  uint8_t mark = 0;
  error = receive(line, &mark, 1, ANSWER_TIMEOUT_MS);
  if (error) return error;
  if (mark != ANSWER_INSYNC) return STK500_ERR_PROTOCOL;
  if (answer_size > 0) {
    error = receive(line, answer, answer_size, ANSWER_TIMEOUT_MS);
    if (error) return error;
  }
  error = receive(line, &mark, 1, ANSWER_TIMEOUT_MS);
  if (error) return error;
  return mark == ANSWER_OK ? STK500_OK : STK500_ERR_PROTOCOL;
}

static int simple_command(const struct stk500_line *line, uint8_t command) {
  const uint8_t bytes[2] = {command, END_OF_COMMAND};
  return exchange(line, bytes, sizeof bytes, NULL, 0);
}

/* ---- the boot loader ---- */

/* Looks for INSYNC OK among whatever the old sketch still says. */
static int await_sync(const struct stk500_line *line) {
  const uint32_t started = line->now_ms(line->context);
  uint8_t before = 0;
  for (;;) {
    const uint32_t spent = line->now_ms(line->context) - started;
    if (spent >= SYNC_TIMEOUT_MS) return STK500_ERR_NO_SYNC;
    uint8_t now = 0;
    const int error = receive(line, &now, 1, SYNC_TIMEOUT_MS - spent);
    if (error == STK500_ERR_TIMEOUT) return STK500_ERR_NO_SYNC;
    if (error) return error;
    if (before == ANSWER_INSYNC && now == ANSWER_OK) return STK500_OK;
    before = now;
  }
}

static int sync_with_boot_loader(const struct stk500_line *line) {
  const uint8_t get_sync[2] = {COMMAND_GET_SYNC, END_OF_COMMAND};
  int error = STK500_ERR_NO_SYNC;
  for (int i = 0; i < SYNC_TRIES && error == STK500_ERR_NO_SYNC; i++) {
    error = send(line, get_sync, sizeof get_sync);
    if (!error) error = await_sync(line);
  }
  if (error) return error;
  /* Answers to earlier tries may still be under way. */
  return drain(line, QUIET_MS, ANSWER_TIMEOUT_MS);
}

static int connect_to_boot_loader(const struct stk500_line *line) {
  if (line->reset(line->context) < 0) return STK500_ERR_LINE;
  int error = drain(line, BOOT_MS, BOOT_MS);
  if (error) return error;
  error = sync_with_boot_loader(line);
  if (error) return error;
  const uint8_t read_sign[2] = {COMMAND_READ_SIGN, END_OF_COMMAND};
  uint8_t signature[sizeof atmega328p_signature];
  error = exchange(line, read_sign, sizeof read_sign, signature, sizeof signature);
  if (error) return error;
  if (memcmp(signature, atmega328p_signature, sizeof signature) != 0) return STK500_ERR_SIGNATURE;
  return simple_command(line, COMMAND_ENTER_PROGMODE);
}

/* The image is verified by now; if this is lost, the boot loader's watchdog starts the sketch a second later. */
static void leave_boot_loader(const struct stk500_line *line) { (void)simple_command(line, COMMAND_LEAVE_PROGMODE); }

static int load_address(const struct stk500_line *line, uint32_t address) {
  const uint32_t word = address / 2;
  const uint8_t command[4] = {COMMAND_LOAD_ADDRESS, (uint8_t)word, (uint8_t)(word >> 8), END_OF_COMMAND};
  return exchange(line, command, sizeof command, NULL, 0);
}

/* Whole pages only: optiboot fills the rest of a short one with what its buffer held before. */
static int program_page(const struct stk500_line *line, uint32_t address, const uint8_t page[STK500_PAGE_BYTES]) {
  int error = load_address(line, address);
  if (error) return error;
  uint8_t command[4 + STK500_PAGE_BYTES + 1] = {COMMAND_PROG_PAGE, 0, STK500_PAGE_BYTES, 'F'};
  memcpy(command + 4, page, STK500_PAGE_BYTES);
  command[sizeof command - 1] = END_OF_COMMAND;
  return exchange(line, command, sizeof command, NULL, 0);
}

static int read_page(const struct stk500_line *line, uint32_t address, uint8_t page[STK500_PAGE_BYTES]) {
  int error = load_address(line, address);
  if (error) return error;
  const uint8_t command[5] = {COMMAND_READ_PAGE, 0, STK500_PAGE_BYTES, 'F', END_OF_COMMAND};
  return exchange(line, command, sizeof command, page, STK500_PAGE_BYTES);
}

/* ---- the image ---- */

static uint32_t bytes_in_page(uint32_t size_bytes, uint32_t address) {
  const uint32_t left = size_bytes - address;
  return left < STK500_PAGE_BYTES ? left : STK500_PAGE_BYTES;
}

/* One page of the image, padded with 0xFF as erased flash reads. */
static int load_page(const struct stk500_image *image, uint32_t address, uint8_t page[STK500_PAGE_BYTES]) {
  const uint32_t size = bytes_in_page(image->size_bytes, address);
  memset(page, 0xFF, STK500_PAGE_BYTES);
  return image->read(image->context, address, page, size) < 0 ? STK500_ERR_SOURCE : STK500_OK;
}

/* `jmp` (940C) or `rjmp` (Cxxx), little-endian. */
bool stk500_begins_with_reset_vector(const uint8_t page[2]) {
  return (page[0] == 0x0C && page[1] == 0x94) || (page[1] & 0xF0) == 0xC0;
}

static void tell(const struct stk500_image *image, enum stk500_stage stage, uint32_t done_bytes) {
  if (image->progress) image->progress(image->context, stage, done_bytes, image->size_bytes);
}

static int write_page_verified(const struct stk500_line *line, uint32_t address, const uint8_t page[STK500_PAGE_BYTES],
                               struct stk500_report *report) {
  for (int i = 0; i < PAGE_TRIES; i++) {
    if (i > 0) report->pages_rewritten++;
    int error = program_page(line, address, page);
    if (error) return error;
    uint8_t flash[STK500_PAGE_BYTES];
    error = read_page(line, address, flash);
    if (error) return error;
    if (memcmp(flash, page, sizeof flash) == 0) return STK500_OK;
  }
  return STK500_ERR_VERIFY;
}

/* `rjmp .` in every word: whichever vector is taken, the chip stands still with its pins as inputs. */
static int park(const struct stk500_line *line, struct stk500_report *report) {
  uint8_t page[STK500_PAGE_BYTES];
  for (size_t i = 0; i < sizeof page; i += 2) {
    page[i] = 0xFF;
    page[i + 1] = 0xCF;
  }
  return write_page_verified(line, 0, page, report);
}

static int write_image(const struct stk500_line *line, const struct stk500_image *image, struct stk500_report *report) {
  int error = park(line, report);
  if (error) return error;
  uint8_t page[STK500_PAGE_BYTES];
  uint32_t done = 0;
  for (uint32_t address = STK500_PAGE_BYTES; address < image->size_bytes; address += STK500_PAGE_BYTES) {
    error = load_page(image, address, page);
    if (!error) error = write_page_verified(line, address, page, report);
    if (error) return error;
    done += bytes_in_page(image->size_bytes, address);
    tell(image, STK500_STAGE_WRITE, done);
  }
  error = load_page(image, 0, page);
  if (error) return error;
  if (!stk500_begins_with_reset_vector(page)) return STK500_ERR_SOURCE;
  error = write_page_verified(line, 0, page, report);
  if (!error) tell(image, STK500_STAGE_WRITE, image->size_bytes);
  return error;
}

static int verify_image(const struct stk500_line *line, const struct stk500_image *image) {
  uint8_t page[STK500_PAGE_BYTES];
  uint8_t flash[STK500_PAGE_BYTES];
  for (uint32_t address = 0; address < image->size_bytes; address += STK500_PAGE_BYTES) {
    const uint32_t size = bytes_in_page(image->size_bytes, address);
    int error = load_page(image, address, page);
    if (!error) error = read_page(line, address, flash);
    if (error) return error;
    if (memcmp(flash, page, size) != 0) return STK500_ERR_VERIFY;
    if (image->verified && image->verified(image->context, address, flash, size) != 0) return STK500_ERR_SINK;
    tell(image, STK500_STAGE_VERIFY, address + size);
  }
  return STK500_OK;
}

/* ---- the public face ---- */

static bool complete(const struct stk500_line *line) {
  return line && line->write && line->read && line->reset && line->now_ms;
}

/* Another attempt cannot mend what the caller caused. */
static bool worth_retrying(int error) { return error <= STK500_ERR_LINE; }

int stk500_flash(const struct stk500_line *line, const struct stk500_image *image, struct stk500_report *report) {
  struct stk500_report unread;
  if (!report) report = &unread;
  *report = (struct stk500_report){0};
  if (!complete(line) || !image || !image->read) return STK500_ERR_ARGUMENT;
  if (image->size_bytes == 0 || image->size_bytes > STK500_MAX_IMAGE_BYTES) return STK500_ERR_ARGUMENT;
  uint8_t first[STK500_PAGE_BYTES];
  int error = load_page(image, 0, first);
  if (error) return error;
  if (!stk500_begins_with_reset_vector(first)) return STK500_ERR_IMAGE;

  do {
    report->attempts++;
    tell(image, STK500_STAGE_CONNECT, 0);
    error = connect_to_boot_loader(line);
    if (!error) error = write_image(line, image, report);
    if (error) continue;
    error = verify_image(line, image);
    if (error) (void)park(line, report);
  } while (worth_retrying(error) && report->attempts < ATTEMPTS);
  if (error) return error;
  leave_boot_loader(line);
  tell(image, STK500_STAGE_LEAVE, image->size_bytes);
  return STK500_OK;
}

static int read_to_sink(const struct stk500_line *line, uint32_t size_bytes, void *sink_context,
                        int (*sink)(void *context, uint32_t offset, const uint8_t *data, size_t size)) {
  uint8_t flash[STK500_PAGE_BYTES];
  for (uint32_t address = 0; address < size_bytes; address += STK500_PAGE_BYTES) {
    const int error = read_page(line, address, flash);
    if (error) return error;
    if (sink(sink_context, address, flash, bytes_in_page(size_bytes, address)) != 0) return STK500_ERR_SINK;
  }
  return STK500_OK;
}

int stk500_read_flash(const struct stk500_line *line, uint32_t size_bytes, void *sink_context,
                      int (*sink)(void *context, uint32_t offset, const uint8_t *data, size_t size)) {
  if (!complete(line) || !sink || size_bytes == 0 || size_bytes > STK500_MAX_IMAGE_BYTES) return STK500_ERR_ARGUMENT;
  int error = STK500_OK;
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    error = connect_to_boot_loader(line);
    if (!error) error = read_to_sink(line, size_bytes, sink_context, sink);
    if (!worth_retrying(error)) break;
  }
  if (!error) leave_boot_loader(line);
  return error;
}
