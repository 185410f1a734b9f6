#include "http_date.h"

#include <string.h>

static int two(const char *text) {
  return text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9' ? -1 : (text[0] - '0') * 10 + text[1] - '0';
}

static int month_of(const char *text) {
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  for (int i = 0; i < 12; i++)
    if (memcmp(months + (size_t)3 * (size_t)i, text, 3) == 0) return i + 1;
  return -1;
}

int64_t flota_http_date_read(const char *text) {
  if (strlen(text) != 29 || memcmp(text + 25, " GMT", 4) != 0) return -1;
  const int day = two(text + 5);
  const int month = month_of(text + 8);
  const int century = two(text + 12);
  const int years = two(text + 14);
  const int hour = two(text + 17);
  const int minute = two(text + 20);
  const int second = two(text + 23);
  if (day < 1 || day > 31 || month < 0 || century < 19 || years < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 60)
    return -1;
  /* Proleptic Gregorian days since 1970; March is the first month, so that leap days come last. */
  const int64_t year = century * 100 + years - (month > 2 ? 0 : 1);
  const int64_t days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * ((month + 9) % 12) + 2) / 5 + day - 1 - 719468;
  return ((days * 24 + hour) * 60 + minute) * 60 + second;
}
