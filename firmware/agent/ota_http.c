#include "ota_http.h"

#include <string.h>

void ota_http_head_begin(struct ota_http_head *head, int status) {
  *head = (struct ota_http_head){.status = status};
}

static char lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c); }

OTA_ONE_COPY static bool equals(const char *text, size_t bytes, const char *expected) {
  if (bytes != strlen(expected)) return false;
  for (size_t i = 0; i < bytes; i++)
    if (lower(text[i]) != expected[i]) return false;
  return true;
}

/** One or more digits at `*at`; goes on behind them. False when there are none or too many. */
OTA_ONE_COPY static bool number(const char **at, const char *end, uint64_t *value) {
  const char *start = *at;
  *value = 0;
  while (*at < end && **at >= '0' && **at <= '9') {
    if (*value > (UINT64_C(1) << 56)) return false;
    *value = *value * 10 + (uint64_t)(**at - '0');
    (*at)++;
  }
  return *at > start;
}

static bool literal(const char **at, const char *end, char expected) {
  if (*at >= end || **at != expected) return false;
  (*at)++;
  return true;
}

/** RFC 9110 §14.4: "bytes 0-9/100", with a star for the size, or "bytes * / 100" without the spaces. */
static void read_content_range(struct ota_http_head *head, const char *at, const char *end) {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t total = 0;
  if (end - at < 6 || !equals(at, 6, "bytes ")) return;
  at += 6;
  bool satisfied = !literal(&at, end, '*');
  if (satisfied && (!number(&at, end, &first) || !literal(&at, end, '-') || !number(&at, end, &last))) return;
  if (!literal(&at, end, '/')) return;
  bool sized = !literal(&at, end, '*');
  if ((sized && !number(&at, end, &total)) || at != end) return;
  head->has_range = satisfied;
  head->first = first;
  head->last = last;
  head->has_total = sized;
  head->total = total;
}

void ota_http_head_field(struct ota_http_head *head, const char *name, size_t name_bytes, const char *value,
                         size_t value_bytes) {
  const char *at = value;
  const char *end = value + value_bytes;
  while (at < end && (*at == ' ' || *at == '\t')) at++;
  while (end > at && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r' || end[-1] == '\n')) end--;
  uint64_t found = 0;
  if (equals(name, name_bytes, "content-range")) {
    read_content_range(head, at, end);
  } else if (equals(name, name_bytes, "content-length")) {
    if (number(&at, end, &found) && at == end) {
      head->has_length = true;
      head->length = found;
    }
  } else if (equals(name, name_bytes, "content-encoding")) {
    head->encoded = at != end && !equals(at, (size_t)(end - at), "identity");
  } else if (equals(name, name_bytes, "retry-after")) {
    // A date instead of seconds counts for nothing: the back-off will do.
    if (number(&at, end, &found) && at == end) head->retry_after_s = found > 86400 ? 86400 : (uint32_t)found;
  }
}

enum ota_range_problem ota_http_plan(const struct ota_http_head *head, uint32_t from, uint32_t size, uint32_t *start,
                                     uint32_t *end) {
  bool other_size = head->has_total && head->total != size;
  if ((head->status == 200 || head->status == 206) && head->encoded) return OTA_RANGE_UNEXPECTED;
  switch (head->status) {
    case 200:
      if (head->has_length && head->length != size) return OTA_RANGE_WRONG_SIZE;
      *start = 0;
      *end = size;
      return OTA_RANGE_OK;
    case 206:
      // A multipart answer has no Content-Range of its own.
      if (!head->has_range) return OTA_RANGE_UNEXPECTED;
      if (other_size) return OTA_RANGE_WRONG_SIZE;
      if (head->first != from || head->last < head->first || head->last >= size) return OTA_RANGE_UNEXPECTED;
      *start = from;
      *end = (uint32_t)head->last + 1;
      return OTA_RANGE_OK;
    case 416:
      return other_size ? OTA_RANGE_WRONG_SIZE : OTA_RANGE_UNSATISFIABLE;
    // S3 says 403 to an expired URL, and 400 when the credentials that signed it have expired.
    case 400:
    case 401:
    case 403:
      return OTA_RANGE_URL_REFUSED;
    case 404:
    case 410:
      return OTA_RANGE_MISSING;
    default:
      return head->status == 429 || head->status >= 500 ? OTA_RANGE_SERVER : OTA_RANGE_UNEXPECTED;
  }
}
