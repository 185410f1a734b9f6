/*
 * STK500v1 programmer for an Arduino Uno (ATmega328P) whose boot loader is optiboot, over any serial line.
 *
 * Portable C11: no allocation, no globals, no operating system. Everything it needs comes through callbacks with a context
 * pointer. One call at a time for one line. It uses less than 400 bytes of stack beside the callbacks' own.
 *
 * Protocol: Atmel AVR061 "STK500 Communication Protocol", as far as optiboot 4.4 speaks it.
 */
#ifndef FLOTA_STK500_H
#define FLOTA_STK500_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  STK500_PAGE_BYTES = 128,
  /* The boot loader's last 512 bytes of the 32 KiB are not the sketch's. */
  STK500_MAX_IMAGE_BYTES = 32256,
};

enum stk500_error {
  STK500_OK = 0,
  STK500_ERR_ARGUMENT = -1,  /* a callback is missing, or the size is 0 or above STK500_MAX_IMAGE_BYTES; nothing was touched */
  STK500_ERR_IMAGE = -2,     /* does not begin with an AVR reset vector (a .hex file, another chip's); nothing was touched */
  STK500_ERR_SOURCE = -3,    /* the image's read callback failed, or the first page was not the same each time */
  STK500_ERR_SINK = -4,      /* the verified callback refused a page */
  STK500_ERR_LINE = -5,      /* a callback of the line failed, or gave more than it was asked for */
  STK500_ERR_NO_SYNC = -6,   /* no boot loader answered: no Uno, no power, wrong wiring or baud rate, reset line not connected */
  STK500_ERR_TIMEOUT = -7,   /* it answered, then fell silent in the middle of a command */
  STK500_ERR_PROTOCOL = -8,  /* it answered what the protocol does not allow there */
  STK500_ERR_SIGNATURE = -9, /* a boot loader answers, but the chip is not an ATmega328P */
  STK500_ERR_VERIFY = -10,   /* flash read back differs from the image, also after it was written again */
};

/* A stable English name of the error for logs, such as "no_sync"; "unknown" for any other number. */
const char *stk500_error_name(int error);

/* Whether it may be an AVR image, by its first two bytes: a .hex file or another chip's image is not. */
bool stk500_begins_with_reset_vector(const uint8_t page[2]);

/* The serial line: 115,200 baud, 8N1, and the Uno's reset pin. */
struct stk500_line {
  void *context;
  /* Sends all bytes (it may return before they are on the wire). 0, or negative when the line is broken. */
  int (*write)(void *context, const uint8_t *data, size_t size);
  /* Waits until there is at least one byte, at most timeout_ms: number of bytes read (≤ size), 0 for none, negative when broken. */
  int (*read)(void *context, uint8_t *data, size_t size, uint32_t timeout_ms);
  /* Pulses the Uno's reset pin (≥ 1 ms low) and returns as soon as it is released. 0, or negative when it cannot. */
  int (*reset)(void *context);
  /* Milliseconds of a monotonic clock; may wrap. */
  uint32_t (*now_ms)(void *context);
};

enum stk500_stage {
  STK500_STAGE_CONNECT, /* reset and sync */
  STK500_STAGE_WRITE,   /* each page written and read back */
  STK500_STAGE_VERIFY,  /* the whole image read back once more */
  STK500_STAGE_LEAVE,   /* the new sketch is started */
};

/* The image: the raw bytes of flash from address 0, as `avr-objcopy -O binary` makes them. */
struct stk500_image {
  void *context;
  uint32_t size_bytes;
  /*
   * Copies size bytes at offset of the image to data; 0, or negative. Must answer within 0.5 s, or the boot loader's watchdog
   * starts the sketch. Pages are asked for in any order and again on a retry.
   */
  int (*read)(void *context, uint32_t offset, uint8_t *data, size_t size);
  /*
   * May be NULL. Flash as it was read back and found equal, in order of address, each byte once: what a digest is made over.
   * Offset 0 begins anew (a retry). 0 goes on; anything else (on the last page: a digest that is not the wanted one) ends with
   * STK500_ERR_SINK and a Uno that stands still.
   */
  int (*verified)(void *context, uint32_t offset, const uint8_t *data, size_t size);
  /* May be NULL. done_bytes of size_bytes in this stage; a retry begins again at STK500_STAGE_CONNECT. */
  void (*progress)(void *context, enum stk500_stage stage, uint32_t done_bytes, uint32_t size_bytes);
};

/* How it went; filled on success and on failure. */
struct stk500_report {
  uint32_t attempts;        /* times the Uno was reset and begun with */
  uint32_t pages_rewritten; /* pages that read back wrong and were written again */
};

/*
 * Writes the image, reads it back, starts it. 0 or an enum stk500_error. report may be NULL.
 *
 * Retried as a whole up to three times for whatever the line or the Uno caused; a page that reads back wrong is first written
 * again on the spot. A Uno that says nothing is given up after about 5 s.
 *
 * Power may fail at any moment: before the first page of the new image is written, page 0 is overwritten by `rjmp .`, and the
 * real page 0 (reset vector) goes last, after all others were read back. A Uno left half-written therefore stands still
 * instead of running a mixture (so does one whose image did not verify), and the next call begins with a hardware reset, which
 * always reaches the boot loader.
 */
int stk500_flash(const struct stk500_line *line, const struct stk500_image *image, struct stk500_report *report);

/*
 * Reads the first size_bytes of flash to sink in order of address (offset 0 begins anew on a retry), then lets the sketch
 * start again: what the Uno really runs. 0 or an enum stk500_error. It resets the Uno.
 */
int stk500_read_flash(const struct stk500_line *line, uint32_t size_bytes, void *sink_context,
                      int (*sink)(void *context, uint32_t offset, const uint8_t *data, size_t size));

#endif
