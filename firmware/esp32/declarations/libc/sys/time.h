/* ISO C11 and POSIX, as newlib of esp-idf has it: time_t has 64 bits */
#pragma once
struct timeval {
  long long tv_sec;
  long tv_usec;
};
int gettimeofday(struct timeval *now, void *zone);
