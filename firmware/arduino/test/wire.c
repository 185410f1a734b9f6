#include "wire.h"

#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint32_t now_ms(void *context) { return uno_now_ms(((struct wire *)context)->uno); }

static int write_bytes(void *context, const uint8_t *data, size_t size) {
  struct wire *wire = context;
  if (wire->cut) return -1;
  uint8_t copy[160];
  if (size > sizeof copy) return -1;
  memcpy(copy, data, size);
  wire->signature_asked = size == 2 && data[0] == 0x75;
  if (size == 4 && data[0] == 0x55) wire->address = 2U * (data[1] | (uint32_t)data[2] << 8);
  if (size > STK500_PAGE_BYTES && data[0] == 0x64) {
    wire->pages++;
    if (wire->address == wire->flip_address && wire->flip_times > 0) {
      wire->flip_times--;
      copy[4 + 17] ^= 0x40;
    }
  }
  return write(wire->uno->tty, copy, size) == (ssize_t)size ? 0 : -1;
}

static int read_bytes(void *context, uint8_t *data, size_t size, uint32_t timeout_ms) {
  struct wire *wire = context;
  if (wire->chatter && *wire->chatter) {
    *data = (uint8_t)*wire->chatter++;
    return 1;
  }
  const uint32_t started = now_ms(wire);
  struct pollfd ready = {.fd = wire->uno->tty, .events = POLLIN};
  do {
    if (poll(&ready, 1, timeout_ms > 0 ? 1 : 0) < 1) continue;
    const ssize_t n = read(wire->uno->tty, data, 1);
    if (n < 1) return -1;
    (void)size;
    if (++wire->bytes == wire->lose_byte) continue;
    /* INSYNC, then the three bytes of the signature: the last one is changed. */
    if (wire->signature_asked && wire->flip_signature && *data == 0x0F) *data ^= wire->flip_signature;
    return 1;
  } while (now_ms(wire) - started < timeout_ms);
  return 0;
}

static int reset(void *context) {
  struct wire *wire = context;
  wire->resets++;
  uno_press_reset(wire->uno);
  return 0;
}

struct stk500_line wire_line(struct wire *wire) {
  return (struct stk500_line){.context = wire, .write = write_bytes, .read = read_bytes, .reset = reset, .now_ms = now_ms};
}

void wire_say(const struct wire *wire, const char *text) {
  struct wire plain = {.uno = wire->uno};
  (void)write_bytes(&plain, (const uint8_t *)text, strlen(text));
}

struct uno_line wire_listen(const struct wire *wire, uint32_t timeout_ms) {
  struct wire plain = {.uno = wire->uno};
  struct uno_reader reader = {0};
  struct uno_line line = {.kind = UNO_LINE_OTHER};
  const uint32_t started = now_ms(&plain);
  for (;;) {
    const uint32_t spent = now_ms(&plain) - started;
    uint8_t byte = 0;
    if (spent >= timeout_ms || read_bytes(&plain, &byte, 1, timeout_ms - spent) != 1) return (struct uno_line){0};
    if (uno_reader_take(&reader, byte, &line) && line.kind != UNO_LINE_OTHER) return line;
  }
}
