/** For what reads and writes nothing but whole arrays of its own: the sanitizers would only make it thrice as slow. */
#ifndef UNCHECKED_H
#define UNCHECKED_H

#if defined(__clang__)
#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))
#else
#define UNCHECKED
#endif

#endif
