/** Tests: a test is a function with a sentence; the first thing that does not hold ends the program. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack.h"

/** Of a run that goes by seeds, to be said with what does not hold. 0: none. */
extern unsigned long check_seed;

#define FAIL(why)                                                                    \
  do {                                                                               \
    if (check_seed > 0) fprintf(stderr, "seed %lu: ", check_seed);                   \
    fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, why);                         \
    abort();                                                                         \
  } while (0)

#define CHECK(condition)                                     \
  do {                                                       \
    if (!(condition)) FAIL("does not hold: " #condition);    \
  } while (0)

struct test {
  const char *sentence;
  void (*run)(void);
};

/** An argument picks the tests that have it in their sentence. */
#define RUN_TESTS(tests)                                                                       \
  int main(int argc, char **argv) {                                                            \
    size_t count = 0;                                                                          \
    for (size_t i = 0; i < sizeof(tests) / sizeof((tests)[0]); i++) {                          \
      if (argc > 1 && !strstr((tests)[i].sentence, argv[1])) continue;                         \
      fprintf(stderr, "  %s\n", (tests)[i].sentence);                                          \
      (tests)[i].run();                                                                        \
      count++;                                                                                 \
    }                                                                                          \
    printf("%s: %zu tests hold; stack %lu\n", __FILE__, count, (unsigned long)stack_deepest()); \
    return count > 0 ? 0 : 1;                                                                  \
  }

#endif
