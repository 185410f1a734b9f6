#include "delta.h"

#include <string.h>

#include "ota_delta.h"
#include "ota_life.h"

// Builds that take all sources of this folder leave it out, too.
#ifdef FLOTA_DELTA

/** Behind the checkpoint of an ordinary download; another number with another struct patch_state. */
enum { stored_format = 1, grain_default = 4096 };

static const char *const fault_names[OTA_PATCH_FAULTS] = {"applied", "refused", "missing", "broken", "differs", "withdrawn"};

/** Without memory there are no patches; without the old image only those that need none: compressed images. */
static bool is_able(const struct ota_agent *agent, bool has_base) {
  return agent->config.buffers.delta && (!has_base || agent->config.main->read_running);
}

static const struct ota_job *job_of(const struct ota_agent *agent) { return &agent->journal.state.job; }

/** A patch is what is downloaded. */
static bool is_patch(const struct ota_agent *agent) { return job_of(agent)->patch_bytes > 0 && is_able(agent, false); }

/** Of what a patch may read. */
static uint32_t old_bytes(const struct ota_agent *agent) {
  return is_able(agent, true) ? agent->running[OTA_MAIN].size : 0;
}

static uint32_t grain_of(const struct ota_agent *agent) {
  uint32_t grain = agent->config.main->patch_grain_bytes;
  return grain > 0 ? grain : grain_default;
}

void ota_delta_offer(struct ota_agent *agent, struct ota_event *event) {
  struct ota_json *json = &agent->json;
  uint8_t base[OTA_SHA256_BYTES];
  uint64_t bytes = 0;
  int patch = ota_json_member(json, 0, "patch");
  if (patch < 0) return;
  const char *format = ota_json_text(json, patch, "format");
  int base_member = ota_json_member(json, patch, "base");
  const char *base_text = ota_json_text(json, patch, "base");
  const char *sha256 = ota_json_text(json, patch, "sha256");
  bool fits = base_member < 0 || (base_text && ota_read_sha256(base_text, base) &&
                                  memcmp(base, agent->running[OTA_MAIN].sha256, sizeof base) == 0);
  bool good = is_able(agent, base_member >= 0) && event->component == OTA_MAIN && format && strcmp(format, "detools") == 0 && fits &&
              sha256 && ota_read_sha256(sha256, event->patch_sha256) &&
              ota_json_whole(json, ota_json_member(json, patch, "size"), &bytes) == OTA_OK && bytes > 0 &&
              bytes < event->image.size;
  event->has_url = good;
  event->patch_bytes = good ? (uint32_t)bytes : 0;
  event->patch_fault = good ? OTA_PATCH_NO_FAULT : OTA_PATCH_REFUSED;
}

void ota_delta_begin(struct ota_state *state, const struct ota_event *event) {
  state->job.patch_bytes = event->patch_bytes;
  state->job.patch_fault = event->patch_fault;
}

uint32_t ota_delta_event_bytes(const struct ota_event *event) {
  return event->patch_bytes > 0 ? event->patch_bytes : event->image.size;
}

const uint8_t *ota_delta_event_digest(const struct ota_event *event) {
  return event->patch_bytes > 0 ? event->patch_sha256 : event->image.sha256;
}

bool ota_delta_is_other(const struct ota_state *state, const struct ota_event *event) {
  return state->job.patch_bytes != event->patch_bytes;
}

/** Only what another way may mend: neither storage that fails nor an application that says no. */
static enum ota_patch_fault fault_of(const struct ota_failure *failure) {
  if (failure->code == OTA_FAILURE_DIGEST_MISMATCH) return OTA_PATCH_DIFFERS;
  bool missing = failure->code == OTA_FAILURE_DOWNLOAD_FAILED || failure->code == OTA_FAILURE_SIZE_MISMATCH;
  return missing ? OTA_PATCH_MISSING : OTA_PATCH_NO_FAULT;
}

bool ota_delta_falls_back(struct ota_state *state, const struct ota_failure *failure) {
  struct ota_job *job = &state->job;
  enum ota_patch_fault fault = failure ? fault_of(failure) : OTA_PATCH_WITHDRAWN;
  // The server may want it so for as long as there is something to download.
  if (job->patch_bytes == 0 || job->stage > (failure ? OTA_VERIFYING : OTA_DOWNLOADING) || fault == OTA_PATCH_NO_FAULT) return false;
  job->patch_bytes = 0;
  if (job->patch_fault == OTA_PATCH_NO_FAULT) job->patch_fault = fault;
  state->staging++;
  state->staged_size = job->image.size;
  memcpy(state->staged_sha256, job->image.sha256, OTA_SHA256_BYTES);
  return true;
}

uint32_t ota_delta_bytes(const struct ota_agent *agent) {
  return is_patch(agent) ? job_of(agent)->patch_bytes : job_of(agent)->image.size;
}

/** The state of the patcher that belongs to this staging, if the staging area has all that it made. */
static bool load(struct ota_agent *agent, struct ota_checkpoint *checkpoint) {
  const struct ota_port *port = agent->port;
  struct patch *patch = &agent->config.buffers.delta->patch;
  uint8_t *data = agent->config.buffers.work;
  int stored = port->store_read(port->ctx, OTA_STORE_CHECKPOINT, data, agent->config.buffers.work_bytes);
  if (stored <= (int)sizeof patch->state) return false;
  size_t head = (size_t)stored - sizeof patch->state - 1;
  if (ota_checkpoint_decode(checkpoint, data, head) != OTA_OK || checkpoint->staging != agent->journal.state.staging ||
      data[head] != stored_format)
    return false;
  memcpy(&patch->state, data + head + 1, sizeof patch->state);
  return ota_patch_resume(patch, old_bytes(agent), job_of(agent)->image.size) &&
         patch->state.made <= port->staging_bytes(port->ctx);
}

bool ota_delta_resume(struct ota_agent *agent) {
  struct ota_download *it = &agent->download;
  const struct ota_job *job = job_of(agent);
  struct ota_checkpoint checkpoint;
  if (!is_patch(agent)) {
    // What came of a patch was for nothing.
    if (job->patch_fault != OTA_PATCH_NO_FAULT) it->stats = job->stats;
    it->stats.redownloaded_bytes = it->stats.received_bytes;
    return false;
  }
  struct ota_delta *delta = agent->config.buffers.delta;
  bool known = load(agent, &checkpoint);
  if (!known) ota_patch_begin(&delta->patch, old_bytes(agent), job->image.size);
  delta->from = delta->to = 0;
  // What a life left undone between two bytes of the patch.
  delta->more = known;
  delta->astray = false;
  delta->saved_at = it->clock;
  it->received_bytes = delta->patch.state.taken;
  if (known && checkpoint.attempt == job->attempt.number) {
    it->chunk_bytes = checkpoint.chunk_bytes;
    it->stats = checkpoint.stats;
  }
  return true;
}

uint8_t *ota_delta_buffer(struct ota_agent *agent, size_t *capacity) {
  const struct ota_buffers *buffers = &agent->config.buffers;
  *capacity = is_patch(agent) ? sizeof buffers->delta->in : buffers->work_bytes;
  return is_patch(agent) ? buffers->delta->in : buffers->work;
}

bool ota_delta_take(struct ota_agent *agent, const uint8_t *data, size_t bytes) {
  if (!is_patch(agent)) return false;
  struct ota_delta *delta = agent->config.buffers.delta;
  delta->astray = agent->download.received_bytes != delta->patch.state.taken;
  delta->from = (uint16_t)(data - delta->in);
  delta->to = (uint16_t)(delta->from + bytes);
  return true;
}

static int read_old(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  const struct ota_installer *main = ((struct ota_agent *)ctx)->config.main;
  return main->read_running(main->ctx, offset, data, bytes);
}

static int write_new(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  const struct ota_port *port = ((struct ota_agent *)ctx)->port;
  return port->staging_write(port->ctx, offset, data, bytes);
}

/** Data first, then the note that it is there. */
static int save(struct ota_agent *agent) {
  const struct ota_port *port = agent->port;
  struct ota_delta *delta = agent->config.buffers.delta;
  struct ota_download *it = &agent->download;
  uint8_t *data = agent->config.buffers.work;
  (void)ota_download_checkpoint(agent);
  delta->saved_at = it->clock;
  struct ota_checkpoint checkpoint = {
      .staging = agent->journal.state.staging,
      .received_bytes = it->received_bytes,
      .chunk_bytes = it->chunk_bytes,
      .attempt = job_of(agent)->attempt.number,
      .stats = it->stats,
  };
  // Bytes that are in the buffer come again after a reset.
  checkpoint.stats.received_bytes -= (uint64_t)(delta->to - delta->from);
  int head = ota_checkpoint_encode(&checkpoint, data, OTA_CHECKPOINT_BYTES);
  if (head < 0) return head;
  data[head] = stored_format;
  memcpy(data + head + 1, &delta->patch.state, sizeof delta->patch.state);
  int error = port->staging_sync(port->ctx);
  size_t bytes = (size_t)head + 1 + sizeof delta->patch.state;
  return error == OTA_OK ? port->store_write(port->ctx, OTA_STORE_CHECKPOINT, data, bytes) : error;
}

static void break_off(struct ota_agent *agent) {
  agent->journal.state.job.patch_fault = OTA_PATCH_BROKEN;
  ota_apply_failed(agent, OTA_FAILURE_DIGEST_MISMATCH, "the patch is broken");
}

bool ota_delta_work(struct ota_agent *agent) {
  struct ota_delta *delta = agent->config.buffers.delta;
  if (!is_patch(agent) || (delta->from == delta->to && !delta->more)) return false;
  const struct patch_io io = {.ctx = agent, .read = read_old, .write = write_new};
  size_t taken = 0;
  int result = delta->astray ? PATCH_ERR_BROKEN
                             : ota_patch_feed(&delta->patch, &io, grain_of(agent), delta->in + delta->from,
                                          (size_t)(delta->to - delta->from), &taken);
  delta->from = (uint16_t)(delta->from + taken);
  delta->more = result == PATCH_MORE;
  if (result == PATCH_ERR_STORAGE) ota_apply_failed(agent, OTA_FAILURE_STORAGE_FAILED, "storage failed");
  else if (result < 0) break_off(agent);
  else if (delta->more && ota_now(agent) - delta->saved_at >= agent->config.timing.checkpoint_ms && save(agent) != OTA_OK)
    ota_fault(agent, "checkpoint not stored");
  return true;
}

bool ota_delta_stores_itself(const struct ota_agent *agent) { return is_patch(agent); }

bool ota_delta_finish(struct ota_agent *agent) {
  if (!is_patch(agent)) return true;
  if (!ota_patch_is_done(&agent->config.buffers.delta->patch)) {
    break_off(agent);
    return false;
  }
  if (agent->port->staging_sync(agent->port->ctx) == OTA_OK) return true;
  ota_apply_failed(agent, OTA_FAILURE_STORAGE_FAILED, "storage failed");
  return false;
}

uint32_t ota_delta_made(const struct ota_agent *agent, uint32_t received) {
  if (!is_patch(agent)) return received;
  return agent->work == OTA_WORK_DOWNLOAD ? agent->config.buffers.delta->patch.state.made : job_of(agent)->image.size;
}

const char *ota_delta_name(const struct ota_agent *agent) { return job_of(agent)->patch_bytes > 0 ? " patch " : " "; }

void ota_delta_write_progress(const struct ota_agent *agent, struct ota_text *text) {
  uint32_t fault = job_of(agent)->patch_fault;
  if (fault != OTA_PATCH_NO_FAULT && fault < OTA_PATCH_FAULTS) ota_text_member_string(text, "patch", fault_names[fault]);
}

void ota_delta_write_stats(const struct ota_agent *agent, struct ota_text *text) {
  if (job_of(agent)->patch_bytes > 0) ota_text_member_string(text, "patch", fault_names[OTA_PATCH_NO_FAULT]);
  else ota_delta_write_progress(agent, text);
}

void ota_delta_write_ability(const struct ota_agent *agent, struct ota_text *text) {
  if (is_able(agent, true)) ota_text_member_string(text, "patch", "detools");
  if (is_able(agent, false)) ota_text_raw(text, ",\"compressed\":true");
}

#endif
