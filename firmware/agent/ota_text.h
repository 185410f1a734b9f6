/** Writes JSON text into a fixed buffer. Overflow is remembered, so only the end need be checked. */
#ifndef OTA_TEXT_H
#define OTA_TEXT_H

#include "ota_error.h"
#include "ota_types.h"

struct ota_text {
  char *at;
  size_t capacity;
  size_t bytes;
  bool overflow;
};

void ota_text_begin(struct ota_text *text, char *buffer, size_t capacity);
/** As it is. */
void ota_text_raw(struct ota_text *text, const char *raw);
/** Quoted and escaped; `value` is valid UTF-8. */
void ota_text_string(struct ota_text *text, const char *value);
void ota_text_number(struct ota_text *text, uint64_t value);
/** `,"name":` and the value. */
void ota_text_member_string(struct ota_text *text, const char *name, const char *value);
void ota_text_member_number(struct ota_text *text, const char *name, uint64_t value);
/** Quoted, lower case. */
void ota_text_hex(struct ota_text *text, const uint8_t *data, size_t bytes);
/** RFC 3339 in UTC, quoted; null for times before 1970 and after 9999. */
void ota_text_time(struct ota_text *text, int64_t unix_ms);
/** How every message begins: `{"id":…,"at":…`. */
void ota_text_head(struct ota_text *text, const char *id, int64_t unix_ms);
/** NUL-terminates. Bytes without the NUL, or OTA_ERR_SPACE. */
int ota_text_end(struct ota_text *text);

/** Copies as much of `source` as fits, in whole UTF-8 characters, and a NUL. */
void ota_text_copy(char *target, size_t capacity, const char *source);

#endif
