/** The little of <string.h> that the agent uses. Copies and fills are instructions of WebAssembly (bulk memory). */
#include <string.h>

void *memcpy(void *target, const void *source, size_t bytes) { return __builtin_memcpy(target, source, bytes); }

void *memmove(void *target, const void *source, size_t bytes) { return __builtin_memmove(target, source, bytes); }

void *memset(void *target, int value, size_t bytes) { return __builtin_memset(target, value, bytes); }

void *memchr(const void *data, int value, size_t bytes) {
  const unsigned char *at = data;
  for (; bytes > 0; bytes--, at++)
    if (*at == (unsigned char)value) return (void *)at;
  return NULL;
}

int memcmp(const void *one, const void *other, size_t bytes) {
  const unsigned char *a = one;
  const unsigned char *b = other;
  for (; bytes > 0; bytes--, a++, b++)
    if (*a != *b) return *a - *b;
  return 0;
}

size_t strlen(const char *text) {
  size_t bytes = 0;
  while (text[bytes] != '\0') bytes++;
  return bytes;
}

int strncmp(const char *one, const char *other, size_t most) {
  for (; most > 0; most--, one++, other++)
    if (*one != *other || *one == '\0') return (unsigned char)*one - (unsigned char)*other;
  return 0;
}

int strcmp(const char *one, const char *other) { return strncmp(one, other, (size_t)-1); }

char *strchr(const char *text, int value) {
  for (;; text++) {
    if (*text == (char)value) return (char *)text;
    if (*text == '\0') return NULL;
  }
}

size_t strcspn(const char *text, const char *stop) {
  size_t bytes = 0;
  while (text[bytes] != '\0' && !strchr(stop, text[bytes])) bytes++;
  return bytes;
}
