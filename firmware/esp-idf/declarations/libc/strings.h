/* ISO C11 and POSIX, as newlib of esp-idf has it */
#pragma once
int strcasecmp(const char *a, const char *b);
