/* ISO C11 and POSIX, as newlib of esp-idf has it */
#pragma once
enum { O_RDWR = 2, O_CREAT = 0x0200 };
int open(const char *path, int flags, ...);
