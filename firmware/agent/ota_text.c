#include "ota_text.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

void ota_text_begin(struct ota_text *text, char *buffer, size_t capacity) {
  *text = (struct ota_text){.at = buffer, .capacity = capacity, .overflow = capacity == 0};
}

static void put(struct ota_text *text, const char *data, size_t bytes) {
  // One byte stays free for the NUL.
  if (text->overflow || bytes >= text->capacity - text->bytes) {
    text->overflow = true;
    return;
  }
  memcpy(text->at + text->bytes, data, bytes);
  text->bytes += bytes;
}

void ota_text_raw(struct ota_text *text, const char *raw) { put(text, raw, strlen(raw)); }

void ota_text_string(struct ota_text *text, const char *value) {
  put(text, "\"", 1);
  for (const char *c = value; *c != '\0'; c++) {
    if (*c == '"' || *c == '\\') {
      char escaped[2] = {'\\', *c};
      put(text, escaped, 2);
    } else if ((unsigned char)*c < 0x20) {
      char escaped[6] = {'\\', 'u', '0', '0', hex_digits[(unsigned char)*c >> 4], hex_digits[*c & 15]};
      put(text, escaped, 6);
    } else {
      put(text, c, 1);
    }
  }
  put(text, "\"", 1);
}

void ota_text_number(struct ota_text *text, uint64_t value) {
  char digits[20];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + (value % 10));
    value /= 10;
  } while (value > 0);
  put(text, digits + at, sizeof digits - at);
}

static void put_name(struct ota_text *text, const char *name) {
  ota_text_raw(text, ",\"");
  ota_text_raw(text, name);
  ota_text_raw(text, "\":");
}

void ota_text_member_string(struct ota_text *text, const char *name, const char *value) {
  put_name(text, name);
  ota_text_string(text, value);
}

void ota_text_member_number(struct ota_text *text, const char *name, uint64_t value) {
  put_name(text, name);
  ota_text_number(text, value);
}

void ota_text_hex(struct ota_text *text, const uint8_t *data, size_t bytes) {
  put(text, "\"", 1);
  for (size_t i = 0; i < bytes; i++) {
    char pair[2] = {hex_digits[data[i] >> 4], hex_digits[data[i] & 15]};
    put(text, pair, 2);
  }
  put(text, "\"", 1);
}

OTA_ONE_COPY static void put_padded(struct ota_text *text, uint32_t value, unsigned digits, char after) {
  char padded[5];
  padded[digits] = after;
  for (unsigned i = digits; i > 0; i--) {
    padded[i - 1] = (char)('0' + (value % 10));
    value /= 10;
  }
  put(text, padded, digits + 1);
}

void ota_text_time(struct ota_text *text, int64_t unix_ms) {
  const int64_t year_10000_ms = INT64_C(253402300800000);
  if (unix_ms < 0 || unix_ms >= year_10000_ms) {
    ota_text_raw(text, "null");
    return;
  }
  // Unsigned, for signed division of 64 bits is another two kilobytes of a compiler's library.
  uint32_t days = (uint32_t)((uint64_t)unix_ms / 86400000);
  uint32_t ms = (uint32_t)((uint64_t)unix_ms % 86400000);
  // Civil date from days, in years that begin on 1 March, so that the leap day is the last one.
  uint32_t z = days + 719468;
  uint32_t era = z / 146097;
  uint32_t day_of_era = z % 146097;
  uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  uint32_t shifted = (5 * day_of_year + 2) / 153;
  uint32_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  put(text, "\"", 1);
  put_padded(text, year_of_era + era * 400 + (month <= 2 ? 1 : 0), 4, '-');
  put_padded(text, month, 2, '-');
  put_padded(text, day_of_year - (153 * shifted + 2) / 5 + 1, 2, 'T');
  put_padded(text, ms / 3600000, 2, ':');
  put_padded(text, ms / 60000 % 60, 2, ':');
  put_padded(text, ms / 1000 % 60, 2, '.');
  put_padded(text, ms % 1000, 3, 'Z');
  put(text, "\"", 1);
}

void ota_text_head(struct ota_text *text, const char *id, int64_t unix_ms) {
  ota_text_raw(text, "{\"id\":");
  ota_text_string(text, id);
  ota_text_raw(text, ",\"at\":");
  ota_text_time(text, unix_ms);
}

int ota_text_end(struct ota_text *text) {
  if (text->overflow) return OTA_ERR_SPACE;
  text->at[text->bytes] = '\0';
  return (int)text->bytes;
}

void ota_text_copy(char *target, size_t capacity, const char *source) {
  size_t bytes = 0;
  while (bytes + 1 < capacity && source[bytes] != '\0') bytes++;
  if (source[bytes] != '\0')
    while (bytes > 0 && ((unsigned char)source[bytes] & 0xc0) == 0x80) bytes--;
  memmove(target, source, bytes);
  target[bytes] = '\0';
}
