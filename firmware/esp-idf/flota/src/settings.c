#include "settings.h"

#include <stdio.h>
#include <string.h>

#include "ota_error.h"
#include "options.h"
#include "store.h"

static int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, uint8_t *bytes, size_t size) {
  if (strlen(text) != 2 * size) return false;
  for (size_t i = 0; i < size; i++) {
    const int high = nibble(text[2 * i]);
    const int low = nibble(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

static bool read_key(unsigned number, struct ota_signing_key *key) {
  char name[16];
  char hex[2 * OTA_ES256_BYTES + 1];
  (void)snprintf(name, sizeof name, "key%u_kid", number);
  if (flota_store_setting(name, key->kid, sizeof key->kid) != OTA_OK) return false;
  (void)snprintf(name, sizeof name, "key%u_xy", number);
  return flota_store_setting(name, hex, sizeof hex) == OTA_OK && read_hex(hex, key->xy, sizeof key->xy);
}

#define MISSING(name) "setting missing or too long: " name " (NVS namespace `settings`; settings.ts writes it)"

const char *flota_settings_load(struct settings *settings) {
  const struct {
    const char *name;
    char *text;
    size_t capacity;
    const char *otherwise;
    const char *problem;
  } texts[] = {
      {"id", settings->id, sizeof settings->id, NULL, MISSING("id")},
      {"mqtt_url", settings->mqtt_url, sizeof settings->mqtt_url, NULL, MISSING("mqtt_url")},
      {"enroll_url", settings->enroll_url, sizeof settings->enroll_url, NULL, MISSING("enroll_url")},
      {"token", settings->token, sizeof settings->token, "", NULL},
      {"ntp", settings->ntp, sizeof settings->ntp, CONFIG_FLOTA_NTP_SERVER, NULL},
      {"trust", settings->trust, sizeof settings->trust, NULL, MISSING("trust")},
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    if (flota_store_setting(texts[i].name, texts[i].text, texts[i].capacity) == OTA_OK) continue;
    if (!texts[i].otherwise) return texts[i].problem;
    (void)snprintf(texts[i].text, texts[i].capacity, "%s", texts[i].otherwise);
  }
  for (settings->key_count = 0; settings->key_count < SETTINGS_KEYS; settings->key_count++) {
    if (!read_key((unsigned)settings->key_count, &settings->keys[settings->key_count])) break;
  }
  return settings->key_count > 0 ? NULL : MISSING("key0_kid and key0_xy");
}
