/* What the line reader makes of good lines, wrong ones and noise. */
#include <string.h>

#include "check.h"
#include "uno_line.h"

/* The last line that the bytes ended; .kind -1 when none was ended. */
static struct uno_line read_text(const char *text, size_t size) {
  struct uno_reader reader = {0};
  struct uno_line line = {.kind = (enum uno_line_kind)-1};
  for (size_t i = 0; i < size; i++) (void)uno_reader_take(&reader, (uint8_t)text[i], &line);
  return line;
}

#define READ(text) read_text(text, sizeof(text) - 1)

int main(void) {
  struct uno_line line = READ("version 1.2.3-rc.1+4 7\r\n");
  CHECK_EQUAL(line.kind, UNO_LINE_VERSION);
  CHECK_EQUAL(strcmp(line.version, "1.2.3-rc.1+4"), 0);
  CHECK_EQUAL(line.security_version, 7);
  CHECK_EQUAL(READ("version 12345678901234567890123456789012 0\n").kind, UNO_LINE_VERSION);
  CHECK_EQUAL(READ("temperature -0.5\n").tenths, -5);
  CHECK_EQUAL(READ("temperature 23.5\n").tenths, 235);
  CHECK_EQUAL(READ("servo 180\n").degrees, 180);
  CHECK_EQUAL(READ("error range\n").kind, UNO_LINE_ERROR);
  (void)puts("ok - lines_of_the_protocol_are_understood");

  static const char *const wrong[] = {
      "version 1.0.0\n",         "version 1.0.0 \n",      "version  1\n",       "version 1.0.0 1 \n",
      "version 1.0.0 -1\n",      "version a/b 1\n",       "version 1 9999999999\n", "version 123456789012345678901234567890123 0\n",
      "temperature 23\n",        "temperature 23.55\n",   "temperature .5\n",   "temperature 5000.0\n",
      "servo 181\n",             "servo\n",               "servo x\n",          "\n",
      " version 1.0.0 1\n",      "\x14\x10version 1.0.0 1\n",
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    CHECK_EQUAL(read_text(wrong[i], strlen(wrong[i])).kind, UNO_LINE_OTHER);
  }
  CHECK_EQUAL(READ("version 1.0.0 1\0\n").kind, UNO_LINE_OTHER);
  CHECK_EQUAL((int)READ("version 1.0.0 1").kind, -1);
  (void)puts("ok - anything_else_is_no_line_of_the_protocol");

  char flood[200];
  memset(flood, 'x', sizeof flood);
  memcpy(flood + sizeof flood - 17, "\nversion 1.0.0 1\n", 17);
  CHECK_EQUAL(read_text(flood, sizeof flood - 16).kind, UNO_LINE_OTHER);
  CHECK_EQUAL(read_text(flood, sizeof flood).kind, UNO_LINE_VERSION);
  (void)puts("ok - a_line_that_is_too_long_is_dropped_whole_and_the_next_one_is_read");
  return 0;
}
