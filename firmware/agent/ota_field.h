/** The kinds of text that messages are made of, as emqx/protocol.ts defines them. */
#ifndef OTA_FIELD_H
#define OTA_FIELD_H

#include "ota_types.h"

#define OTA_UUID_MAX 36u
#define OTA_ID_MAX 64u

/** [A-Za-z0-9_-]{1,64} */
bool ota_is_id(const char *text);
/** RFC 9562, versions 1 to 8, and nil and max. */
bool ota_is_uuid(const char *text);
/** RFC 3339 date and time with an offset or Z; seconds may be missing. */
bool ota_is_time(const char *text);
/** https, a host, printable ASCII, at most OTA_URL_MAX. */
bool ota_is_https_url(const char *text);
/** [a-z0-9][a-z0-9_-]{0,31} */
bool ota_is_component(const char *text);
/** [a-z][a-z0-9_.-]{0,63} */
bool ota_is_command(const char *text);
/** 64 lower-case hex digits. */
bool ota_read_sha256(const char *text, uint8_t digest[OTA_SHA256_BYTES]);

#endif
