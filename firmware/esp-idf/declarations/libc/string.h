/* ISO C11 and POSIX, as newlib of esp-idf has it */
#pragma once
#include <stddef.h>
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
void *memchr(const void *data, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);
size_t strnlen(const char *text, size_t limit);
size_t strcspn(const char *text, const char *stop);
char *strchr(const char *text, int c);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t size);
