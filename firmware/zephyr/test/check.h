/* What does not hold ends a test of this module. */
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      printf("not ok - %s:%d: does not hold: " #condition "\n", __FILE__, __LINE__); \
      exit(1);                                                                  \
    }                                                                           \
  } while (0)
