/** The grammar of JSON (RFC 8259) as one pass that leaves tokens: no recursion, no allocation, and as strict as JSON.parse. */
#include <string.h>

#include "ota_json.h"

struct scan {
  struct ota_json *json;
  const char *at, *end;
  /** Index of the array or object that is open; -1: none. While it is open, its `next` is the one around it. */
  int open;
};

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

OTA_ONE_COPY static char peek(struct scan *it) {
  while (it->at < it->end && (*it->at == ' ' || *it->at == '\t' || *it->at == '\n' || *it->at == '\r')) it->at++;
  if (it->at == it->end) return '\0';
  return *it->at;
}

OTA_ONE_COPY static bool take(struct scan *it, char expected) {
  if (it->at == it->end || *it->at != expected) return false;
  it->at++;
  return true;
}

OTA_ONE_COPY static bool take_digits(struct scan *it) {
  const char *start = it->at;
  while (it->at < it->end && *it->at >= '0' && *it->at <= '9') it->at++;
  return it->at > start;
}

/** Section 6. */
static bool take_number(struct scan *it) {
  (void)take(it, '-');
  if (!take(it, '0') && !take_digits(it)) return false;
  if (take(it, '.') && !take_digits(it)) return false;
  if (!take(it, 'e') && !take(it, 'E')) return true;
  if (!take(it, '+')) (void)take(it, '-');
  return take_digits(it);
}

/** Section 7, behind the opening quote and up to the closing one, which is taken too. */
static bool take_characters(struct scan *it) {
  while (it->at < it->end) {
    unsigned char c = (unsigned char)*it->at++;
    if (c == '"') return true;
    if (c < 0x20) return false;
    if (c != '\\') continue;
    if (it->at == it->end) return false;
    c = (unsigned char)*it->at++;
    if (!strchr("\"\\/bfnrtu", c)) return false;
    for (unsigned i = 0; c == 'u' && i < 4; i++, it->at++)
      if (it->at == it->end || !strchr("0123456789abcdefABCDEF", *it->at)) return false;
  }
  return false;
}

OTA_ONE_COPY static bool take_literal(struct scan *it, const char *literal) {
  size_t bytes = strlen(literal);
  if ((size_t)(it->end - it->at) < bytes || memcmp(it->at, literal, bytes) != 0) return false;
  it->at += bytes;
  return true;
}

/** A new token that begins here, or null when there is no room for one. */
OTA_ONE_COPY static struct ota_json_token *add(struct scan *it, enum ota_json_type type) {
  struct ota_json *json = it->json;
  if (json->count == OTA_JSON_TOKENS) return NULL;
  struct ota_json_token *token = &json->tokens[json->count++];
  token->type = (uint8_t)type;
  token->next = (uint8_t)json->count;
  token->start = (uint16_t)(it->at - json->text);
  return token;
}

OTA_ONE_COPY static int take_string(struct scan *it) {
  if (!take(it, '"')) return OTA_ERR_JSON;
  struct ota_json_token *token = add(it, OTA_JSON_STRING);
  if (!token) return OTA_ERR_SPACE;
  if (!take_characters(it)) return OTA_ERR_JSON;
  token->end = (uint16_t)(it->at - 1 - it->json->text);
  return OTA_OK;
}

/** `"name":` of a member. */
OTA_ONE_COPY static int take_name(struct scan *it) {
  (void)peek(it);
  int error = take_string(it);
  if (error != OTA_OK) return error;
  (void)peek(it);
  return take(it, ':') ? OTA_OK : OTA_ERR_JSON;
}

static int take_primitive(struct scan *it) {
  struct ota_json_token *token = add(it, OTA_JSON_PRIMITIVE);
  if (!token) return OTA_ERR_SPACE;
  if (!take_literal(it, "true") && !take_literal(it, "false") && !take_literal(it, "null") && !take_number(it))
    return OTA_ERR_JSON;
  token->end = (uint16_t)(it->at - it->json->text);
  return OTA_OK;
}

/** 1: a value must follow, 0: it is empty. */
static int open_value(struct scan *it, bool object) {
  struct ota_json *json = it->json;
  struct ota_json_token *token = add(it, object ? OTA_JSON_OBJECT : OTA_JSON_ARRAY);
  if (!token) return OTA_ERR_SPACE;
  token->next = (uint8_t)it->open;
  it->open = json->count - 1;
  it->at++;
  if (peek(it) == (object ? '}' : ']')) return 0;
  int error = object ? take_name(it) : OTA_OK;
  return error == OTA_OK ? 1 : error;
}

/** Ends what ends here. 1: another value must follow, 0: the outermost has ended. */
static int close_values(struct scan *it) {
  struct ota_json *json = it->json;
  while (it->open >= 0) {
    struct ota_json_token *token = &json->tokens[it->open];
    bool object = token->type == OTA_JSON_OBJECT;
    (void)peek(it);
    if (take(it, ',')) {
      int error = object ? take_name(it) : OTA_OK;
      return error == OTA_OK ? 1 : error;
    }
    if (!take(it, object ? '}' : ']')) return OTA_ERR_JSON;
    it->open = token->next == UINT8_MAX ? -1 : token->next;
    token->next = (uint8_t)json->count;
    token->end = (uint16_t)(it->at - json->text);
  }
  return 0;
}

int ota_json_object(struct ota_json *json, char *text, size_t bytes) {
  json->text = text;
  json->count = 0;
  if (bytes > UINT16_MAX) return OTA_ERR_SPACE;
  if (!is_utf8(text, bytes) || memchr(text, '\0', bytes)) return OTA_ERR_JSON;
  struct scan it = {.json = json, .at = text, .end = text + bytes, .open = -1};
  int more = 1;
  while (more > 0) {
    char c = peek(&it);
    bool object = c == '{';
    if (object || c == '[') more = open_value(&it, object);
    else more = c == '"' ? take_string(&it) : take_primitive(&it);
    if (more == 0) more = close_values(&it);
  }
  if (more == OTA_OK && (peek(&it) != '\0' || it.at != it.end)) more = OTA_ERR_JSON;
  if (more == OTA_OK && json->tokens[0].type != OTA_JSON_OBJECT) more = OTA_ERR_SCHEMA;
  if (more != OTA_OK) json->count = 0;
  return more;
}
