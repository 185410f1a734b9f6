// The tokenizer's code is compiled into this file alone.
#define JSMN_STATIC
#define JSMN_STRICT
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wconversion"
#include <jsmn.h>
#pragma GCC diagnostic pop
#define JSMN_HEADER
#include "ota_json.h"

#include <string.h>

/** RFC 3629, without surrogates and overlong forms. */
static bool is_utf8(const char *text, size_t bytes) {
  const uint8_t *c = (const uint8_t *)text;
  for (size_t i = 0; i < bytes;) {
    size_t more = 0;
    uint32_t point = c[i];
    if (point >= 0xf0 && point <= 0xf4) more = 3;
    else if (point >= 0xe0 && point < 0xf0) more = 2;
    else if (point >= 0xc2 && point < 0xe0) more = 1;
    else if (point >= 0x80) return false;
    if (more >= bytes - i) return false;
    point &= more == 0 ? 0x7fu : 0x3fu >> more;
    for (size_t k = 1; k <= more; k++) {
      if ((c[i + k] & 0xc0) != 0x80) return false;
      point = point << 6 | (c[i + k] & 0x3f);
    }
    if ((more == 2 && point < 0x800) || (more == 3 && (point < 0x10000 || point > 0x10ffff))) return false;
    if (point >= 0xd800 && point <= 0xdfff) return false;
    i += more + 1;
  }
  return true;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

int ota_json_object(struct ota_json *json, char *text, size_t bytes) {
  jsmn_parser parser;
  json->text = text;
  json->count = 0;
  if (bytes > INT32_MAX || !is_utf8(text, bytes) || memchr(text, '\0', bytes)) return OTA_ERR_JSON;
  jsmn_init(&parser);
  int count = jsmn_parse(&parser, text, bytes, json->tokens, OTA_JSON_TOKENS);
  if (count == JSMN_ERROR_NOMEM) return OTA_ERR_SPACE;
  if (count < 1) return OTA_ERR_JSON;
  if (json->tokens[0].type != JSMN_OBJECT) return OTA_ERR_SCHEMA;
  for (size_t i = (size_t)json->tokens[0].end; i < bytes; i++)
    if (!is_space(text[i])) return OTA_ERR_JSON;
  json->count = count;
  return OTA_OK;
}

/** The first token after a value and all that is inside it. */
static int after(const struct ota_json *json, int value) {
  int end = json->tokens[value].end;
  int next = value + 1;
  while (next < json->count && json->tokens[next].start < end) next++;
  return next;
}

int ota_json_member(const struct ota_json *json, int object, const char *name) {
  if (!ota_json_is(json, object, JSMN_OBJECT)) return OTA_ERR_ABSENT;
  size_t length = strlen(name);
  int found = OTA_ERR_ABSENT;
  int end = json->tokens[object].end;
  int key = object + 1;
  while (key + 1 < json->count && json->tokens[key].start < end) {
    const jsmntok_t *token = &json->tokens[key];
    if (token->type != JSMN_STRING || token->size != 1) return OTA_ERR_ABSENT;
    // The last of several counts, as in JSON.parse.
    if ((size_t)(token->end - token->start) == length && memcmp(json->text + token->start, name, length) == 0)
      found = key + 1;
    key = after(json, key + 1);
  }
  return found;
}

int ota_json_element(const struct ota_json *json, int array, int element) {
  if (!ota_json_is(json, array, JSMN_ARRAY)) return OTA_ERR_ABSENT;
  int next = element == array ? array + 1 : after(json, element);
  return next < json->count && json->tokens[next].start < json->tokens[array].end ? next : OTA_ERR_ABSENT;
}

bool ota_json_is(const struct ota_json *json, int value, jsmntype_t type) {
  return value >= 0 && value < json->count && json->tokens[value].type == type;
}

static bool equals(const struct ota_json *json, int value, const char *literal) {
  if (!ota_json_is(json, value, JSMN_PRIMITIVE)) return false;
  const jsmntok_t *token = &json->tokens[value];
  size_t length = (size_t)(token->end - token->start);
  return length == strlen(literal) && memcmp(json->text + token->start, literal, length) == 0;
}

bool ota_json_is_null(const struct ota_json *json, int value) { return equals(json, value, "null"); }

int ota_json_bool(const struct ota_json *json, int value, bool *flag) {
  *flag = equals(json, value, "true");
  return *flag || equals(json, value, "false") ? OTA_OK : OTA_ERR_SCHEMA;
}

int ota_json_whole(const struct ota_json *json, int value, uint64_t *number) {
  const uint64_t max = (UINT64_C(1) << 53) - 1;
  if (!ota_json_is(json, value, JSMN_PRIMITIVE)) return OTA_ERR_SCHEMA;
  const jsmntok_t *token = &json->tokens[value];
  const char *digits = json->text + token->start;
  int length = token->end - token->start;
  if (length > 1 && digits[0] == '0') return OTA_ERR_SCHEMA;
  uint64_t sum = 0;
  for (int i = 0; i < length; i++) {
    if (digits[i] < '0' || digits[i] > '9') return OTA_ERR_SCHEMA;
    sum = sum * 10 + (uint64_t)(digits[i] - '0');
    if (sum > max) return OTA_ERR_SCHEMA;
  }
  *number = sum;
  return OTA_OK;
}

/** Four hex digits; jsmn has seen that they are. Above 0xffff when the text ends before them. */
static uint32_t read_hex4(const char *digits, const char *end) {
  uint32_t value = 0;
  if (end - digits < 4) return UINT32_MAX;
  for (int i = 0; i < 4; i++) {
    uint32_t c = (uint8_t)digits[i];
    value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return value;
}

static char *put_utf8(char *to, uint32_t point) {
  if (point < 0x80) {
    *to++ = (char)point;
  } else if (point < 0x800) {
    *to++ = (char)(0xc0 | point >> 6);
    *to++ = (char)(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    *to++ = (char)(0xe0 | point >> 12);
    *to++ = (char)(0x80 | (point >> 6 & 0x3f));
    *to++ = (char)(0x80 | (point & 0x3f));
  } else {
    *to++ = (char)(0xf0 | point >> 18);
    *to++ = (char)(0x80 | (point >> 12 & 0x3f));
    *to++ = (char)(0x80 | (point >> 6 & 0x3f));
    *to++ = (char)(0x80 | (point & 0x3f));
  }
  return to;
}

char *ota_json_string(struct ota_json *json, int value) {
  if (!ota_json_is(json, value, JSMN_STRING)) return NULL;
  char *start = json->text + json->tokens[value].start;
  const char *end = json->text + json->tokens[value].end;
  const char *from = start;
  char *to = start;
  while (from < end) {
    // RFC 8259 §7: control characters are escaped; jsmn lets them pass.
    if ((unsigned char)*from < 0x20) return NULL;
    if (*from != '\\') {
      *to++ = *from++;
      continue;
    }
    char escape = from[1];
    from += 2;
    if (escape == 'u') {
      uint32_t point = read_hex4(from, end);
      from += 4;
      if (point >= 0xd800 && point <= 0xdbff && end - from >= 6 && from[0] == '\\' && from[1] == 'u') {
        uint32_t low = read_hex4(from + 2, end);
        from += 6;
        if (low < 0xdc00 || low > 0xdfff) return NULL;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
      }
      if (point == 0 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return NULL;
      to = put_utf8(to, point);
      continue;
    }
    static const char escapes[] = "b\bf\fn\nr\rt\t";
    const char *known = strchr(escapes, escape);
    if (known && (known - escapes) % 2 == 0) escape = known[1];
    *to++ = escape;
  }
  *to = '\0';
  return start;
}

size_t ota_json_units(const char *utf8) {
  size_t units = 0;
  for (const uint8_t *c = (const uint8_t *)utf8; *c != 0; c++)
    if ((*c & 0xc0) != 0x80) units += *c >= 0xf0 ? 2 : 1;
  return units;
}
