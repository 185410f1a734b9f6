#include "uno_line.h"

#include <string.h>

/* Moves *text behind the prefix when it begins with it. */
static bool skip(const char **text, const char *prefix) {
  const size_t size = strlen(prefix);
  if (strncmp(*text, prefix, size) != 0) return false;
  *text += size;
  return true;
}

/* One to nine digits, so that it fits. */
static bool read_number(const char **text, uint32_t *number) {
  uint32_t value = 0;
  size_t digits = 0;
  for (; **text >= '0' && **text <= '9'; (*text)++) {
    if (++digits > 9) return false;
    value = value * 10 + (uint32_t)(**text - '0');
  }
  *number = value;
  return digits > 0;
}

static bool is_version_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '+' ||
         c == '-';
}

static bool read_version(const char *text, struct uno_line *line) {
  size_t size = 0;
  while (is_version_character(text[size])) size++;
  if (size == 0 || size >= sizeof line->version || text[size] != ' ') return false;
  memcpy(line->version, text, size);
  line->version[size] = '\0';
  text += size + 1;
  return read_number(&text, &line->security_version) && *text == '\0';
}

static bool read_temperature(const char *text, struct uno_line *line) {
  const bool negative = skip(&text, "-");
  uint32_t whole = 0;
  uint32_t tenth = 0;
  if (!read_number(&text, &whole) || !skip(&text, ".") || !read_number(&text, &tenth)) return false;
  if (*text != '\0' || tenth > 9 || whole > 1000) return false;
  const int32_t tenths = (int32_t)(whole * 10 + tenth);
  line->tenths = negative ? -tenths : tenths;
  return true;
}

static enum uno_line_kind parse(const char *text, struct uno_line *line) {
  if (skip(&text, "version ")) return read_version(text, line) ? UNO_LINE_VERSION : UNO_LINE_OTHER;
  if (skip(&text, "temperature ")) return read_temperature(text, line) ? UNO_LINE_TEMPERATURE : UNO_LINE_OTHER;
  if (skip(&text, "servo ")) {
    return read_number(&text, &line->degrees) && *text == '\0' && line->degrees <= 180 ? UNO_LINE_SERVO : UNO_LINE_OTHER;
  }
  return skip(&text, "error ") ? UNO_LINE_ERROR : UNO_LINE_OTHER;
}

bool uno_reader_take(struct uno_reader *reader, uint8_t byte, struct uno_line *line) {
  if (byte != '\n') {
    if (reader->size < sizeof reader->text - 1) reader->text[reader->size++] = (char)byte;
    else reader->too_long = true;
    return false;
  }
  if (reader->size > 0 && reader->text[reader->size - 1] == '\r') reader->size--;
  reader->text[reader->size] = '\0';
  *line = (struct uno_line){.kind = UNO_LINE_OTHER};
  if (!reader->too_long && strlen(reader->text) == reader->size) line->kind = parse(reader->text, line);
  *reader = (struct uno_reader){0};
  return true;
}
