/**
 * Reads JSON in place: ota_json_object finds the tokens, the rest looks at them. Strings are unescaped in the text itself (what is left is
 * never longer), so every value is read once and the text must stay as long as its strings.
 */
#ifndef OTA_JSON_H
#define OTA_JSON_H

#include "ota_error.h"
#include "ota_types.h"

/** The largest message is an ack of 64 ids; the rest leaves room for members that a later version adds. */
#define OTA_JSON_TOKENS 112u

enum ota_json_type { OTA_JSON_OBJECT = 1, OTA_JSON_ARRAY, OTA_JSON_STRING, OTA_JSON_PRIMITIVE };

/** A value, or the name of a member, which stands before its value. */
struct ota_json_token {
  uint8_t type;
  /** Index of the first token after it and all that is inside it. */
  uint8_t next;
  /** In the text; of a string without its quotes. */
  uint16_t start, end;
};

struct ota_json {
  char *text;
  int count;
  struct ota_json_token tokens[OTA_JSON_TOKENS];
};

/**
 * One object and nothing else, in UTF-8 without NUL. OTA_ERR_JSON; OTA_ERR_SCHEMA: another value than an object; OTA_ERR_SPACE: too
 * many tokens (also: too deep), or more than 65,535 bytes.
 */
int ota_json_object(struct ota_json *json, char *text, size_t bytes);

/** Index of the value of a member of the object at `object` (0: the whole), or OTA_ERR_ABSENT. */
int ota_json_member(const struct ota_json *json, int object, const char *name);

/** Index of the element after `element`; of the first one after an array's own index. OTA_ERR_ABSENT: there is none. */
int ota_json_element(const struct ota_json *json, int array, int element);

bool ota_json_is(const struct ota_json *json, int value, enum ota_json_type type);
bool ota_json_is_null(const struct ota_json *json, int value);

/** A whole number from 0 to 2^53 - 1. OTA_ERR_SCHEMA. */
int ota_json_whole(const struct ota_json *json, int value, uint64_t *number);

/** true or false. OTA_ERR_SCHEMA. */
int ota_json_bool(const struct ota_json *json, int value, bool *flag);

/** The string, unescaped, NUL-terminated; null when it is none, or holds a NUL or half a surrogate pair. */
char *ota_json_string(struct ota_json *json, int value);

/** The member of that name, if it is a string. */
char *ota_json_text(struct ota_json *json, int object, const char *name);

/** Length as JavaScript counts it: in UTF-16 code units. */
size_t ota_json_units(const char *utf8);

#endif
