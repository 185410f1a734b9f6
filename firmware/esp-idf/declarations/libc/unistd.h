/* ISO C11 and POSIX, as newlib of esp-idf has it */
#pragma once
#include <stddef.h>
#include <sys/types.h>
enum { SEEK_SET = 0, SEEK_END = 2 };
off_t lseek(int file, off_t offset, int from);
ssize_t read(int file, void *data, size_t size);
ssize_t write(int file, const void *data, size_t size);
int fsync(int file);
int ftruncate(int file, off_t size);
