/*
 * What a Flota Uno says over serial, read byte by byte. Portable C11, no allocation, no globals; README.md has the protocol.
 * The bytes come from a wire: noise, boot loader answers and half lines are expected and come out as UNO_LINE_OTHER or nothing.
 */
#ifndef FLOTA_UNO_LINE_H
#define FLOTA_UNO_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNO_LINE_BYTES = 64, UNO_VERSION_BYTES = 33 };

enum uno_line_kind {
  UNO_LINE_OTHER,       /* not of the protocol; dropped whole when too long */
  UNO_LINE_VERSION,     /* version and security_version are set */
  UNO_LINE_TEMPERATURE, /* tenths is set */
  UNO_LINE_SERVO,       /* degrees is set */
  UNO_LINE_ERROR,       /* the Uno refused the last request */
};

struct uno_line {
  enum uno_line_kind kind;
  char version[UNO_VERSION_BYTES]; /* 1 to 32 of A-Z a-z 0-9 . _ + - */
  uint32_t security_version;
  int32_t tenths; /* of a degree Celsius */
  uint32_t degrees;
};

/* Zero-initialised before the first byte and after each reset of the Uno. */
struct uno_reader {
  char text[UNO_LINE_BYTES];
  size_t size;
  bool too_long;
};

/* Takes one byte; true when it ended a line, which is then in *line. */
bool uno_reader_take(struct uno_reader *reader, uint8_t byte, struct uno_line *line);

#endif
