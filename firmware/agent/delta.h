/**
 * @file
 * Delta updates: a module beside the agent, for programs built with FLOTA_DELTA. Give the agent this memory (buffers.delta) and the main
 * installer `read_running`, and the device tells the server that it takes patches. See ../DELTA.md.
 */
#ifndef DELTA_H
#define DELTA_H

#include "patch.h"

/** What is inside is the agent's own business; it is here so that its owner can declare one. */
struct ota_delta {
  /** @cond PRIVATE */
  struct patch patch;
  uint64_t saved_at;
  /** Bytes of the patch that have come, and those of them that are not used yet. */
  uint16_t from, to;
  /** It stopped between two pieces of work. */
  bool more;
  /** The bytes that came last are not those that follow. */
  bool astray;
  uint8_t in[256];
  /** @endcond */
};

#endif
