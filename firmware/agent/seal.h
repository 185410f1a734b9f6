/**
 * @file
 * Sealed objects: a module beside the agent, for programs built with FLOTA_SEAL. Give the agent this memory (buffers.seal) and the port the three
 * callbacks at its end, and the device tells the server that it takes images and patches that are encrypted. See ../ENCRYPTION.md.
 */
#ifndef SEAL_H
#define SEAL_H

#include "hpke.h"

/** Of an object: what is decrypted at once, and what stands before the first of it. */
#define SEAL_CHUNK_BYTES 4096u
#define SEAL_HEADER_BYTES 20u
/** A point, the key of the object, and a tag. */
#define SEAL_WRAP_BYTES (HPKE_POINT_BYTES + OTA_AES_KEY_BYTES + OTA_GCM_TAG_BYTES)

/** What is inside is the agent's own business; it is here so that its owner can declare one. */
struct ota_seal {
  /** @cond PRIVATE */
  /** Of the object, as it came out of `wrap`, if `opened`. */
  uint8_t key[OTA_AES_KEY_BYTES];
  uint8_t wrap[SEAL_WRAP_BYTES];
  bool opened;
  /** The GET that runs is of a sealed object; its key is not for us; a chunk was not genuine. */
  bool is_sealed, is_refused, is_broken;
  /** The chunk that comes, and the one behind the last of this body. */
  uint32_t index, end;
  /** Of the body, before its first chunk; of the first chunk, before what was asked for. */
  uint32_t ahead, skip;
  /** Bytes of the chunk that have come; plain bytes that are not handed on yet. */
  uint16_t filled, from, to;
  uint8_t chunk[SEAL_CHUNK_BYTES + OTA_GCM_TAG_BYTES];
  /** @endcond */
};

#endif
