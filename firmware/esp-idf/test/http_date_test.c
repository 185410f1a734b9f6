#include "http_date.h"

#include <stdio.h>
#include <stdlib.h>

static void expect(const char *text, long long seconds) {
  const long long read = flota_http_date_read(text);
  if (read == seconds) return;
  printf("not ok - %s is %lld, not %lld\n", text, read, seconds);
  exit(1);
}

int main(void) {
  expect("Thu, 01 Jan 1970 00:00:00 GMT", 0);
  expect("Sun, 06 Nov 1994 08:49:37 GMT", 784111777);
  expect("Thu, 29 Feb 2024 23:59:60 GMT", 1709251200);
  expect("Sun, 29 Nov 2026 01:40:00 GMT", 1795916400);
  const char *bad[] = {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 00 Nov 1994 08:49:37 GMT",
                       "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 19x4 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:61:37 GMT"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) expect(bad[i], -1);
  printf("ok - dates of HTTP are read, and nothing else\n");
  return 0;
}
