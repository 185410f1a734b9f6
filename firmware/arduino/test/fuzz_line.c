/* Any bytes: every line comes out within its bounds and its strings are terminated. */
#include <stdlib.h>
#include <string.h>

#include "uno_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct uno_reader reader = {0};
  struct uno_line line;
  for (size_t i = 0; i < size; i++) {
    if (!uno_reader_take(&reader, data[i], &line)) continue;
    if (line.kind == UNO_LINE_VERSION && (strlen(line.version) == 0 || line.security_version > 999999999)) abort();
    if (line.kind == UNO_LINE_SERVO && line.degrees > 180) abort();
    if (line.kind == UNO_LINE_TEMPERATURE && abs(line.tenths) > 10009) abort();
  }
  return 0;
}
