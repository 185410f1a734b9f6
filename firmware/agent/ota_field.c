#include "ota_field.h"

#include <string.h>

static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/** 1 to `most` lower-case letters, digits and what `more` holds; "A" in it stands for upper-case letters. */
OTA_ONE_COPY static bool consists_of(const char *text, size_t most, const char *more) {
  size_t length = strlen(text);
  for (const char *c = text; *c != '\0'; c++)
    if (!is_lower(*c) && !is_digit(*c) && !strchr(more, is_upper(*c) ? 'A' : *c)) return false;
  return length >= 1 && length <= most;
}

bool ota_is_id(const char *text) { return consists_of(text, OTA_ID_MAX, "A_-"); }

static int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool ota_is_uuid(const char *text) {
  bool nil = true;
  bool max = true;
  if (strlen(text) != OTA_UUID_MAX) return false;
  for (unsigned i = 0; i < OTA_UUID_MAX; i++) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return false;
      continue;
    }
    int value = hex_value(text[i]);
    if (value < 0) return false;
    nil = nil && value == 0;
    max = max && value == 15;
  }
  if (nil || max) return true;
  int variant = hex_value(text[19]);
  return text[14] >= '1' && text[14] <= '8' && variant >= 8 && variant <= 11;
}

/** Reads two digits at `*text` up to `max`, and goes on behind them. */
OTA_ONE_COPY static bool two_digits(const char **text, int max, int *value) {
  const char *c = *text;
  if (!is_digit(c[0]) || !is_digit(c[1])) return false;
  *value = (c[0] - '0') * 10 + (c[1] - '0');
  *text += 2;
  return *value <= max;
}

bool ota_is_time(const char *text) {
  static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  enum { century, year, month, day, hour, minute, parts };
  static const struct {
    uint8_t max;
    /** What follows; none: the next part does. */
    char then;
  } form[parts] = {{99, '\0'}, {99, '-'}, {12, '-'}, {31, 'T'}, {23, ':'}, {59, '\0'}};
  int part[parts];
  int ignored = 0;
  const char *c = text;
  for (unsigned i = 0; i < parts; i++) {
    if (!two_digits(&c, form[i].max, &part[i])) return false;
    if (form[i].then != '\0' && *c++ != form[i].then) return false;
  }
  int last = part[year] + part[century] * 100;
  bool leap = (last % 4 == 0 && last % 100 != 0) || last % 400 == 0;
  if (part[month] < 1 || part[day] < 1 || part[day] > days[part[month] - 1] + (part[month] == 2 && leap ? 1 : 0))
    return false;
  if (*c == ':') {
    c++;
    if (!two_digits(&c, 59, &ignored)) return false;
    if (*c == '.') {
      if (!is_digit(*++c)) return false;
      while (is_digit(*c)) c++;
    }
  }
  if (*c == 'Z') return c[1] == '\0';
  if (*c != '+' && *c != '-') return false;
  c++;
  if (!two_digits(&c, 23, &ignored) || *c != ':') return false;
  c++;
  return two_digits(&c, 59, &ignored) && *c == '\0';
}

bool ota_is_https_url(const char *text) {
  static const char scheme[] = "https://";
  size_t length = strlen(text);
  if (length > OTA_URL_MAX || strncmp(text, scheme, sizeof scheme - 1) != 0) return false;
  const char *host = text + sizeof scheme - 1;
  if (!is_lower(*host) && !is_upper(*host) && !is_digit(*host) && *host != '[') return false;
  for (const char *c = host; *c != '\0'; c++)
    if (*c <= ' ' || *c > '~' || *c == '"' || *c == '<' || *c == '>' || *c == '\\') return false;
  // User information has no place in a presigned URL.
  return host[strcspn(host, "@/?#")] != '@';
}

bool ota_is_component(const char *text) {
  return *text != '_' && *text != '-' && consists_of(text, OTA_COMPONENT_MAX, "_-");
}

bool ota_is_command(const char *text) { return is_lower(*text) && consists_of(text, 64, "_-."); }

bool ota_read_sha256(const char *text, uint8_t digest[OTA_SHA256_BYTES]) {
  if (strlen(text) != (size_t)2 * OTA_SHA256_BYTES) return false;
  for (size_t i = 0; i < OTA_SHA256_BYTES; i++) {
    if (is_upper(text[2 * i]) || is_upper(text[2 * i + 1])) return false;
    int high = hex_value(text[2 * i]);
    int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    digest[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}
