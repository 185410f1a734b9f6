/** How deep the stack gets: painted before a life, looked at after it. Only where nothing else uses the stack: on a bare processor. */
#ifndef STACK_H
#define STACK_H

#include <stdint.h>

/** Paints what lies below the caller. */
void stack_paint(void);
/** Keeps the deepest use since stack_paint, below the caller. */
void stack_measure(void);
/** Bytes; 0 where it is not measured. */
uint32_t stack_deepest(void);

#endif
