#include "ota_json.h"

#include <string.h>

int ota_json_member(const struct ota_json *json, int object, const char *name) {
  if (!ota_json_is(json, object, OTA_JSON_OBJECT)) return OTA_ERR_ABSENT;
  size_t length = strlen(name);
  int found = OTA_ERR_ABSENT;
  for (int key = object + 1; key < json->tokens[object].next; key = json->tokens[key + 1].next) {
    const struct ota_json_token *token = &json->tokens[key];
    // The last of several counts, as in JSON.parse.
    if ((size_t)(token->end - token->start) == length && memcmp(json->text + token->start, name, length) == 0)
      found = key + 1;
  }
  return found;
}

int ota_json_element(const struct ota_json *json, int array, int element) {
  if (!ota_json_is(json, array, OTA_JSON_ARRAY)) return OTA_ERR_ABSENT;
  int next = element == array ? array + 1 : json->tokens[element].next;
  return next < json->tokens[array].next ? next : OTA_ERR_ABSENT;
}

bool ota_json_is(const struct ota_json *json, int value, enum ota_json_type type) {
  return value >= 0 && value < json->count && json->tokens[value].type == type;
}

static bool equals(const struct ota_json *json, int value, const char *literal) {
  if (!ota_json_is(json, value, OTA_JSON_PRIMITIVE)) return false;
  const struct ota_json_token *token = &json->tokens[value];
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
  if (!ota_json_is(json, value, OTA_JSON_PRIMITIVE)) return OTA_ERR_SCHEMA;
  const struct ota_json_token *token = &json->tokens[value];
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

/** Four hex digits: the grammar has seen that they are. */
static uint32_t read_hex4(const char *digits) {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++) {
    uint32_t c = (uint8_t)digits[i];
    value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return value;
}

static char *put_utf8(char *to, uint32_t point) {
  static const uint8_t leads[] = {0, 0xc0, 0xe0, 0xf0};
  unsigned more = (point >= 0x80) + (point >= 0x800) + (point >= 0x10000);
  *to++ = (char)(leads[more] | point >> 6 * more);
  while (more-- > 0) *to++ = (char)(0x80 | (point >> 6 * more & 0x3f));
  return to;
}

char *ota_json_string(struct ota_json *json, int value) {
  if (!ota_json_is(json, value, OTA_JSON_STRING)) return NULL;
  char *start = json->text + json->tokens[value].start;
  const char *end = json->text + json->tokens[value].end;
  const char *from = start;
  char *to = start;
  while (from < end) {
    if (*from != '\\') {
      *to++ = *from++;
      continue;
    }
    char escape = from[1];
    from += 2;
    if (escape == 'u') {
      uint32_t point = read_hex4(from);
      from += 4;
      if (point >= 0xd800 && point <= 0xdbff && end - from >= 6 && from[0] == '\\' && from[1] == 'u') {
        uint32_t low = read_hex4(from + 2);
        from += 6;
        if (low < 0xdc00 || low > 0xdfff) return NULL;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
      }
      if (point == 0 || (point >= 0xd800 && point <= 0xdfff)) return NULL;
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

char *ota_json_text(struct ota_json *json, int object, const char *name) {
  return ota_json_string(json, ota_json_member(json, object, name));
}

size_t ota_json_units(const char *utf8) {
  size_t units = 0;
  for (const uint8_t *c = (const uint8_t *)utf8; *c != 0; c++)
    if ((*c & 0xc0) != 0x80) units += *c >= 0xf0 ? 2 : 1;
  return units;
}
