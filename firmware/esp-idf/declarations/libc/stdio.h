/* ISO C11 and POSIX, as newlib of esp-idf has it */
#pragma once
#include <stddef.h>
int snprintf(char *restrict text, size_t capacity, const char *restrict format, ...) __attribute__((format(printf, 3, 4)));
