/** Brings an image into the staging area, by ranged GETs whose size follows the network. */
#ifndef OTA_DOWNLOAD_H
#define OTA_DOWNLOAD_H

#include "ota_http.h"
#include "ota_state.h"

struct ota_agent;

enum ota_download_phase {
  /** The next GET is due at wait_until. */
  OTA_DOWNLOAD_PAUSE = 0,
  OTA_DOWNLOAD_HEAD,
  OTA_DOWNLOAD_BODY,
  /** The server takes the URL no longer; asked for another, again at wait_until. */
  OTA_DOWNLOAD_NO_URL,
};

struct ota_download {
  enum ota_download_phase phase;
  uint32_t received_bytes, chunk_bytes;
  struct ota_stats stats;
  struct ota_http_head head;
  /** Of the GET that runs: where it began, which byte of the image comes next, where the body should end. */
  uint32_t from, at, end;
  uint32_t wrote;
  uint64_t skipped;
  uint64_t started_at, heard_at, wait_until, clock, saved_at;
  /** Failures and refusals in a row, forgotten with every byte that arrives. */
  uint32_t broken, refusals;
  uint32_t asked;
  uint32_t unsaved_chunks;
  bool rangeless, resuming;
};

/** Begins, or goes on from the checkpoint; `after_restart` counts what was lost with the last life. OTA_ERR_STORAGE. */
int ota_download_start(struct ota_agent *agent, bool after_restart);
/** A bounded piece of it; returns when there will be more, 0: when the network brings it, `now`: at once. */
uint64_t ota_download_poll(struct ota_agent *agent, uint64_t now);
void ota_download_stop(struct ota_agent *agent);
void ota_download_fresh_url(struct ota_agent *agent);
/** A request for a fresh URL that fell on deaf ears is made again at once. */
void ota_download_online(struct ota_agent *agent);
/** Makes what has been received survive a reset: data first, then the note that it is there. OTA_ERR_STORAGE. */
int ota_download_checkpoint(struct ota_agent *agent);

#endif
