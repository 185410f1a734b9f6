/**
 * What the agent asks of delta updates (delta.c, patch.c), which are a module of their own: built without FLOTA_DELTA it is not there, and costs
 * nothing. The patch goes the way of an image: the same ranges, checkpoints and staging area, but what is staged is what it makes.
 */
#ifndef OTA_DELTA_H
#define OTA_DELTA_H

#include "ota_machine.h"

struct ota_agent;

/** Why a device took the whole image although a patch was offered, as emqx/protocol.ts names it. The order is stored. */
enum ota_patch_fault {
  OTA_PATCH_NO_FAULT = 0,
  /** It is for another image than the one that runs, or not in a form that is known here. */
  OTA_PATCH_REFUSED,
  /** It could not be downloaded. */
  OTA_PATCH_MISSING,
  /** It is none, or contradicts itself. */
  OTA_PATCH_BROKEN,
  /** What it made is not the signed image. */
  OTA_PATCH_DIFFERS,
  /** The server has taken it back. */
  OTA_PATCH_WITHDRAWN,
  OTA_PATCH_FAULTS,
};

#ifdef FLOTA_DELTA

/** Of a request whose manifest is good: the signed part that tells of a patch. One that cannot be used takes the URL with it. */
void ota_delta_offer(struct ota_agent *agent, struct ota_event *event);

/* For the transition table: pure. */
void ota_delta_begin(struct ota_state *state, const struct ota_event *event);
/** Bytes and digest of what is downloaded for the event. */
uint32_t ota_delta_event_bytes(const struct ota_event *event);
const uint8_t *ota_delta_event_digest(const struct ota_event *event);
/** Another copy of the running attempt's request: its URL is not that of what is being downloaded. */
bool ota_delta_is_other(const struct ota_state *state, const struct ota_event *event);
/** Goes back to the whole image: true when that is a way on. `failure` null: the server wants it so. */
bool ota_delta_falls_back(struct ota_state *state, const struct ota_failure *failure);

/* For the download. */
uint32_t ota_delta_bytes(const struct ota_agent *agent);
/** Where an earlier life got to; true when it is a patch that is downloaded. */
bool ota_delta_resume(struct ota_agent *agent);
/** Where the next bytes of the body go. */
uint8_t *ota_delta_buffer(struct ota_agent *agent, size_t *capacity);
/** Takes bytes of the buffer that it gave. False: there is none, and they are of the image. */
bool ota_delta_take(struct ota_agent *agent, const uint8_t *data, size_t bytes);
/** Does a piece of work with what was taken. True when there was any. */
bool ota_delta_work(struct ota_agent *agent);
/** Nothing is to be stored at the end of a chunk: what is between two grains cannot be gone on from. */
bool ota_delta_stores_itself(const struct ota_agent *agent);
/** All has been downloaded. False: that was not the image, and it has been told. */
bool ota_delta_finish(struct ota_agent *agent);
/** Bytes of the image that are there, of `received` that were downloaded. */
uint32_t ota_delta_made(const struct ota_agent *agent, uint32_t received);

/** What ends the name of a stored URL: one of a patch is of no use once the job has gone back to the image. */
const char *ota_delta_name(const struct ota_agent *agent);

/* For what is reported. */
void ota_delta_write_progress(const struct ota_agent *agent, struct ota_text *text);
void ota_delta_write_stats(const struct ota_agent *agent, struct ota_text *text);
void ota_delta_write_ability(const struct ota_agent *agent, struct ota_text *text);

#else

static inline void ota_delta_offer(struct ota_agent *agent, struct ota_event *event) { (void)agent, (void)event; }
static inline void ota_delta_begin(struct ota_state *state, const struct ota_event *event) { (void)state, (void)event; }
static inline uint32_t ota_delta_event_bytes(const struct ota_event *event) { return event->image.size; }
static inline const uint8_t *ota_delta_event_digest(const struct ota_event *event) { return event->image.sha256; }
static inline bool ota_delta_is_other(const struct ota_state *state, const struct ota_event *event) {
  return (void)state, (void)event, false;
}
static inline bool ota_delta_falls_back(struct ota_state *state, const struct ota_failure *failure) {
  return (void)state, (void)failure, false;
}
static inline bool ota_delta_resume(struct ota_agent *agent) { return (void)agent, false; }
static inline bool ota_delta_take(struct ota_agent *agent, const uint8_t *data, size_t bytes) {
  return (void)agent, (void)data, (void)bytes, false;
}
static inline bool ota_delta_work(struct ota_agent *agent) { return (void)agent, false; }
static inline bool ota_delta_stores_itself(const struct ota_agent *agent) { return (void)agent, false; }
static inline bool ota_delta_finish(struct ota_agent *agent) { return (void)agent, true; }
static inline const char *ota_delta_name(const struct ota_agent *agent) { return (void)agent, " "; }
static inline uint32_t ota_delta_made(const struct ota_agent *agent, uint32_t received) { return (void)agent, received; }
static inline void ota_delta_write_progress(const struct ota_agent *agent, struct ota_text *text) { (void)agent, (void)text; }
static inline void ota_delta_write_stats(const struct ota_agent *agent, struct ota_text *text) { (void)agent, (void)text; }
static inline void ota_delta_write_ability(const struct ota_agent *agent, struct ota_text *text) { (void)agent, (void)text; }
/** These need the agent's insides. */
#define ota_delta_bytes(agent) ((agent)->journal.state.job.image.size)
#define ota_delta_buffer(agent, capacity) (*(capacity) = (agent)->config.buffers.work_bytes, (agent)->config.buffers.work)

#endif

#endif
