/** Tests: a test is a function with a sentence; the first thing that does not hold ends the program. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                             \
  do {                                                                               \
    if (!(condition)) {                                                              \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                       \
    }                                                                                \
  } while (0)

#define FAIL(why)                                          \
  do {                                                     \
    fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, why); \
    abort();                                               \
  } while (0)

struct test {
  const char *sentence;
  void (*run)(void);
};

#define RUN_TESTS(tests)                                              \
  int main(void) {                                                    \
    size_t count = sizeof(tests) / sizeof((tests)[0]);                \
    for (size_t i = 0; i < count; i++) {                              \
      fprintf(stderr, "  %s\n", (tests)[i].sentence);                 \
      (tests)[i].run();                                               \
    }                                                                 \
    fprintf(stderr, "%s: %zu tests hold\n", __FILE__, count);         \
    return 0;                                                         \
  }

#endif
