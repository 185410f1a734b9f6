#include "ota_state.h"

#include <string.h>

#include "ota_bytes.h"

/**
 * A new firmware must read what the old one stored: fields are only ever added at the end, and missing ones are zero. An old one
 * must read what a newer one stored before it was rolled back: a value that it has no name for costs that value, no more.
 */
enum { state_format = 1, checkpoint_format = 1 };

/** One cursor for both directions, so that the order of fields is written down once. */
struct cursor {
  /** Null when writing. */
  const uint8_t *from;
  uint8_t *to;
  size_t capacity;
  size_t at;
  bool failed;
};

static void number(struct cursor *cursor, uint64_t *value, unsigned bytes) {
  if (cursor->at + bytes > cursor->capacity) {
    cursor->failed = cursor->failed || !cursor->from;
    if (cursor->from) {
      cursor->at = cursor->capacity;
      *value = 0;
    }
    return;
  }
  if (cursor->from) *value = ota_take_number(cursor->from + cursor->at, bytes);
  else ota_put_number(cursor->to + cursor->at, *value, bytes);
  cursor->at += bytes;
}

static void u64(struct cursor *cursor, uint64_t *value) { number(cursor, value, 8); }

OTA_ONE_COPY static void u32(struct cursor *cursor, uint32_t *value) {
  uint64_t wide = *value;
  number(cursor, &wide, 4);
  *value = (uint32_t)wide;
}

/** A number of one byte; when it is not below `limit`, `otherwise`. */
OTA_ONE_COPY static uint32_t small(struct cursor *cursor, uint32_t value, uint32_t limit, uint32_t otherwise) {
  uint64_t wide = value;
  number(cursor, &wide, 1);
  return wide < limit ? (uint32_t)wide : otherwise;
}

static void bytes(struct cursor *cursor, void *data, size_t count) {
  uint8_t *at = data;
  for (size_t i = 0; i < count; i++) {
    uint64_t wide = at[i];
    number(cursor, &wide, 1);
    at[i] = (uint8_t)wide;
  }
}

OTA_ONE_COPY static void text(struct cursor *cursor, char *value, size_t capacity) {
  uint32_t length = small(cursor, cursor->from ? 0 : (uint32_t)strlen(value), 256, 0);
  uint32_t kept = length < capacity ? length : (uint32_t)capacity - 1;
  bytes(cursor, value, kept);
  value[kept] = '\0';
  uint64_t rest = 0;
  for (uint32_t i = kept; i < length; i++) number(cursor, &rest, 1);
}

OTA_ONE_COPY static void attempt(struct cursor *cursor, struct ota_attempt *value) {
  text(cursor, value->deployment, sizeof value->deployment);
  u64(cursor, &value->number);
}

static void stats(struct cursor *cursor, struct ota_stats *value) {
  u64(cursor, &value->download_ms);
  u64(cursor, &value->received_bytes);
  u64(cursor, &value->redownloaded_bytes);
  u32(cursor, &value->resumes);
}

static void job(struct cursor *cursor, struct ota_job *value) {
  // Whatever a stage was that is not known here, the job can begin again with what is staged.
  value->stage = (enum ota_stage)small(cursor, value->stage, OTA_STAGES, OTA_ACCEPTED);
  if (value->stage == OTA_IDLE) return;
  attempt(cursor, &value->attempt);
  uint32_t component = small(cursor, value->component, OTA_COMPONENTS, OTA_COMPONENTS);
  value->component = component == OTA_COMPONENTS ? OTA_MAIN : (enum ota_component)component;
  text(cursor, value->image.version, sizeof value->image.version);
  u64(cursor, &value->image.security_version);
  u32(cursor, &value->image.size);
  bytes(cursor, value->image.sha256, OTA_SHA256_BYTES);
  u32(cursor, &value->installs);
  stats(cursor, &value->stats);
  value->rollback.code = (enum ota_failure_code)small(cursor, value->rollback.code, OTA_FAILURE_CODES, OTA_FAILURE_BOOT_FAILED);
  text(cursor, value->rollback.message, sizeof value->rollback.message);
  if (component == OTA_COMPONENTS) value->stage = OTA_IDLE;
}

static void state(struct cursor *cursor, void *of) {
  struct ota_state *value = of;
  u32(cursor, &value->boot_count);
  value->next_reason = (enum ota_boot_reason)small(cursor, value->next_reason, OTA_BOOT_UNKNOWN + 1, OTA_BOOT_UNKNOWN);
  job(cursor, &value->job);
  u32(cursor, &value->staged_size);
  bytes(cursor, value->staged_sha256, OTA_SHA256_BYTES);
  u32(cursor, &value->staging);
  uint32_t count = small(cursor, value->finished_count, 256, 0);
  for (uint32_t i = 0; i < count; i++) {
    // The newest come last, and are those that are kept of more than fit.
    struct ota_finished *it = &value->finished[i % OTA_FINISHED_MAX];
    attempt(cursor, &it->attempt);
    it->how = (enum ota_outcome)small(cursor, it->how, OTA_OUTCOMES, OTA_FAILED);
  }
  value->finished_count = count < OTA_FINISHED_MAX ? count : OTA_FINISHED_MAX;
  for (uint32_t i = 0; i < OTA_COMMANDS_MAX; i++) u64(cursor, &value->commands[i]);
  text(cursor, value->renewal_id, sizeof value->renewal_id);
  u64(cursor, &value->job.deadline.unix_ms);
  value->job.deadline.give_up = small(cursor, value->job.deadline.give_up, 2, 0);
  text(cursor, value->job.undoes, sizeof value->job.undoes);
#ifdef FLOTA_DELTA
  u32(cursor, &value->job.patch_bytes);
  value->job.patch_fault = small(cursor, value->job.patch_fault, 256, 0);
#endif
}

static void checkpoint(struct cursor *cursor, void *of) {
  struct ota_checkpoint *value = of;
  u32(cursor, &value->staging);
  u32(cursor, &value->received_bytes);
  u32(cursor, &value->chunk_bytes);
  u64(cursor, &value->attempt);
  stats(cursor, &value->stats);
}

/** `fields` is one of the two above. */
static int encode(void (*fields)(struct cursor *cursor, void *value), void *value, uint32_t format, uint8_t *data,
                  size_t capacity) {
  struct cursor cursor = {.to = data, .capacity = capacity};
  (void)small(&cursor, format, 256, 0);
  fields(&cursor, value);
  return cursor.failed ? OTA_ERR_SPACE : (int)cursor.at;
}

static int decode(void (*fields)(struct cursor *cursor, void *value), void *value, size_t value_bytes, uint32_t format,
                  const uint8_t *data, size_t count) {
  struct cursor cursor = {.from = data, .capacity = count};
  memset(value, 0, value_bytes);
  if (small(&cursor, 0, 256, 0) != format) return OTA_ERR_SCHEMA;
  fields(&cursor, value);
  return cursor.failed ? OTA_ERR_SCHEMA : OTA_OK;
}

int ota_state_encode(struct ota_state *value, uint8_t *data, size_t capacity) {
  return encode(state, value, state_format, data, capacity);
}

int ota_state_decode(struct ota_state *value, const uint8_t *data, size_t count) {
  return decode(state, value, sizeof *value, state_format, data, count);
}

int ota_checkpoint_encode(struct ota_checkpoint *value, uint8_t *data, size_t capacity) {
  return encode(checkpoint, value, checkpoint_format, data, capacity);
}

int ota_checkpoint_decode(struct ota_checkpoint *value, const uint8_t *data, size_t count) {
  return decode(checkpoint, value, sizeof *value, checkpoint_format, data, count);
}
