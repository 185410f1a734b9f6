/** What the head of an HTTP answer means for a download. */
#ifndef OTA_HTTP_H
#define OTA_HTTP_H

#include "ota_error.h"
#include "ota_types.h"

/** For ports: a new answer with this status. Call it again for the last of several (100, then 206). */
void ota_http_head_begin(struct ota_http_head *head, int status);

/** For ports: one header field of it; neither text need be NUL-terminated. Unknown fields are ignored. */
void ota_http_head_field(struct ota_http_head *head, const char *name, size_t name_bytes, const char *value,
                         size_t value_bytes);

enum ota_range_problem {
  OTA_RANGE_OK = 0,
  /** 400, 401, 403: another URL is needed. */
  OTA_RANGE_URL_REFUSED,
  OTA_RANGE_MISSING,
  OTA_RANGE_UNSATISFIABLE,
  OTA_RANGE_SERVER,
  /** The server has an image of another size. */
  OTA_RANGE_WRONG_SIZE,
  OTA_RANGE_UNEXPECTED,
  OTA_RANGE_NETWORK,
  OTA_RANGE_STALLED,
  OTA_RANGE_TRUNCATED,
  OTA_RANGE_STORAGE,
};

/** Which bytes of the image the body holds: `*start` and `*end` (the one after the last) are set with OTA_RANGE_OK. */
enum ota_range_problem ota_http_plan(const struct ota_http_head *head, uint32_t from, uint32_t size, uint32_t *start,
                                     uint32_t *end);

#endif
