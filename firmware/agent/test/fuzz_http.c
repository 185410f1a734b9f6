/** Any bytes as a status and header lines. A plan never reaches outside the image. */
#include <stdlib.h>
#include <string.h>

#include "../ota_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int statuses[] = {200, 206, 416, 403, 404, 503, 302, 206};
  const uint32_t image = 1000;
  struct ota_http_head head;
  uint32_t start = 0;
  uint32_t end = 0;
  if (size < 2) return 0;
  ota_http_head_begin(&head, statuses[data[0] & 7]);
  uint32_t from = data[1];
  const char *line = (const char *)data + 2;
  const char *last = (const char *)data + size;
  while (line < last) {
    const char *eol = memchr(line, '\n', (size_t)(last - line));
    if (!eol) eol = last;
    const char *colon = memchr(line, ':', (size_t)(eol - line));
    if (colon) ota_http_head_field(&head, line, (size_t)(colon - line), colon + 1, (size_t)(eol - colon - 1));
    line = eol + 1;
  }
  if (ota_http_plan(&head, from, image, &start, &end) == OTA_RANGE_OK && (start > from || end > image || start >= end))
    abort();
  return 0;
}
