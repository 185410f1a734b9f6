#ifndef FLOTA_TEST_CHECK_H
#define FLOTA_TEST_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                        \
  do {                                                                                          \
    if (!(condition)) {                                                                         \
      (void)fprintf(stderr, "not ok - %s:%d: %s\n", __FILE__, __LINE__, #condition);            \
      exit(1);                                                                                  \
    }                                                                                           \
  } while (0)

#define CHECK_EQUAL(actual, expected)                                                           \
  do {                                                                                          \
    const long long actual_ = (long long)(actual);                                              \
    const long long expected_ = (long long)(expected);                                          \
    if (actual_ != expected_) {                                                                 \
      (void)fprintf(stderr, "not ok - %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #actual, actual_, expected_); \
      exit(1);                                                                                  \
    }                                                                                           \
  } while (0)

#endif
