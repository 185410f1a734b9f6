/* ISO C11 and POSIX, as newlib of esp-idf has it: time_t has 64 bits */
#pragma once
typedef long long time_t;
struct timeval {
  time_t tv_sec;
  long tv_usec;
};
int gettimeofday(struct timeval *now, void *zone);
int settimeofday(const struct timeval *now, const void *zone);
