/** The golden messages of emqx/protocol.ts: what a device receives, it takes or refuses as TypeScript does. */
#include <string.h>

#include "../ota_inbox.h"
#include "check.h"

static char *read_file(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  CHECK(file);
  fseek(file, 0, SEEK_END);
  *bytes = (size_t)ftell(file);
  rewind(file);
  char *text = malloc(*bytes + 1);
  CHECK(text && fread(text, 1, *bytes, file) == *bytes);
  text[*bytes] = '\0';
  fclose(file);
  return text;
}

/** The end of the JSON value at `at`. */
static const char *end_of_value(const char *at) {
  int depth = 0;
  bool quoted = false;
  for (;; at++) {
    CHECK(*at != '\0');
    if (quoted) {
      if (*at == '\\') at++;
      else if (*at == '"') quoted = false;
    } else if (*at == '"') quoted = true;
    else if (*at == '{' || *at == '[') depth++;
    else if (*at == '}' || *at == ']') depth--;
    if (depth < 0 || (depth == 0 && !quoted && (at[1] == ',' || at[1] == '\n'))) return depth < 0 ? at : at + 1;
  }
}

/** -1 when the topic is none that devices receive. */
static int is_taken(const char *topic, struct ota_json *json) {
  struct ota_request request;
  struct ota_attempt attempt;
  struct ota_control control;
  struct ota_certificate certificate;
  const char *ids[64];
  size_t count = 0;
  if (strcmp(topic, "firmware/download/request") == 0) return ota_read_request(json, &request) == OTA_OK;
  if (strcmp(topic, "firmware/download/cancel") == 0) return ota_read_cancel(json, &attempt) == OTA_OK;
  if (strcmp(topic, "control/command") == 0) return ota_read_control(json, &control) == OTA_OK;
  if (strcmp(topic, "cert/renew/response") == 0) return ota_read_certificate(json, &certificate) == OTA_OK;
  if (strcmp(topic, "ack") == 0) return ota_read_ack(json, ids, 64, &count) == OTA_OK;
  return -1;
}

/** The text after `"name": ` in a vector, which is written with one space. */
static const char *member(const char *from, const char *name) {
  char key[32];
  snprintf(key, sizeof key, "\n      \"%s\": ", name);
  const char *at = strstr(from, key);
  CHECK(at);
  return at + strlen(key);
}

static void agrees(void) {
  static struct ota_json json;
  size_t bytes = 0;
  char *file = read_file(VECTORS, &bytes);
  unsigned valid_count = 0;
  unsigned invalid_count = 0;
  for (const char *at = strstr(file, "\n    {\n"); at; at = strstr(at + 1, "\n    {\n")) {
    char name[128] = "";
    char topic[64] = "";
    CHECK(sscanf(member(at, "name"), "\"%127[^\"]\"", name) == 1);
    CHECK(sscanf(member(at, "topic"), "\"%63[^\"]\"", topic) == 1);
    bool valid = *member(at, "valid") == 't';
    const char *message = member(at, "message");
    size_t length = (size_t)(end_of_value(message) - message);
    // A copy of exactly its size, so that the sanitizer sees every byte read too far.
    char *copy = malloc(length + 1);
    CHECK(copy);
    memcpy(copy, message, length);
    copy[length] = '\0';
    bool object = ota_json_object(&json, copy, length) == OTA_OK;
    int taken = is_taken(topic, &json);
    if (taken >= 0) {
      if ((object && taken) != valid) fprintf(stderr, "%s: %s\n", topic, name);
      CHECK((object && taken) == valid);
      if (valid) valid_count++;
      else invalid_count++;
    }
    free(copy);
  }
  free(file);
  fprintf(stderr, "    %u taken, %u refused\n", valid_count, invalid_count);
  CHECK(valid_count > 15 && invalid_count > 40);
}

static const struct test tests[] = {{"every golden message is taken or refused as emqx/protocol.ts does", agrees}};

RUN_TESTS(tests)
