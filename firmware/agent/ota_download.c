#include "ota_download.h"

#include "ota_delta.h"
#include "ota_life.h"
#include "ota_pace.h"
#include "ota_seal.h"

static uint64_t tick(struct ota_agent *agent) {
  struct ota_download *it = &agent->download;
  uint64_t now = ota_now(agent);
  it->stats.download_ms += now - it->clock;
  it->clock = now;
  return now;
}

int ota_download_checkpoint(struct ota_agent *agent) {
  const struct ota_port *port = agent->port;
  struct ota_download *it = &agent->download;
  uint8_t data[OTA_CHECKPOINT_BYTES];
  tick(agent);
  it->unsaved_chunks = 0;
  it->saved_at = it->clock;
  if (ota_delta_stores_itself(agent)) return OTA_OK;
  struct ota_checkpoint checkpoint = {
      .staging = agent->journal.state.staging,
      .received_bytes = it->received_bytes,
      .chunk_bytes = it->chunk_bytes,
      .attempt = agent->journal.state.job.attempt.number,
      .stats = it->stats,
  };
  int bytes = ota_checkpoint_encode(&checkpoint, data, sizeof data);
  if (bytes < 0) return bytes;
  int error = port->staging_sync(port->ctx);
  return error == OTA_OK ? port->store_write(port->ctx, OTA_STORE_CHECKPOINT, data, (size_t)bytes) : error;
}

/** Bytes that came and are no progress. */
OTA_ONE_COPY static void count_wasted(struct ota_download *it, uint64_t bytes) {
  it->stats.received_bytes += bytes;
  it->stats.redownloaded_bytes += bytes;
}

/** Where an earlier life or attempt got to with these very bytes. */
static void resume(struct ota_agent *agent, bool after_restart) {
  const struct ota_port *port = agent->port;
  struct ota_download *it = &agent->download;
  uint8_t data[OTA_CHECKPOINT_BYTES];
  struct ota_checkpoint checkpoint;
  uint32_t staged = port->staging_bytes(port->ctx);
  int bytes = port->store_read(port->ctx, OTA_STORE_CHECKPOINT, data, sizeof data);
  if (ota_delta_resume(agent)) return;
  bool known = bytes > 0 && ota_checkpoint_decode(&checkpoint, data, (size_t)bytes) == OTA_OK &&
               checkpoint.staging == agent->journal.state.staging;
  if (known) it->received_bytes = checkpoint.received_bytes < staged ? checkpoint.received_bytes : staged;
  if (known && checkpoint.attempt == agent->journal.state.job.attempt.number) {
    it->chunk_bytes = checkpoint.chunk_bytes;
    it->stats = checkpoint.stats;
  }
  if (after_restart && staged > it->received_bytes) {
    // Bytes that came after the last checkpoint are fetched again.
    count_wasted(it, staged - it->received_bytes);
  }
}

static void ask_for_url(struct ota_agent *agent, uint64_t now) {
  struct ota_download *it = &agent->download;
  const struct ota_timing *timing = &agent->config.timing;
  it->phase = OTA_DOWNLOAD_NO_URL;
  it->wait_until = now + ota_backoff_ms(agent->port, it->asked++, timing->url_refresh_min_ms, timing->url_refresh_max_ms);
  ota_report_progress(agent, true);
}

int ota_download_start(struct ota_agent *agent, bool after_restart) {
  const struct ota_limits *limits = &agent->config.limits;
  struct ota_download *it = &agent->download;
  agent->work = OTA_WORK_DOWNLOAD;
  *it = (struct ota_download){.clock = ota_now(agent)};
  it->saved_at = it->clock;
  ota_seal_begin(agent);
  resume(agent, after_restart);
  it->resuming = it->received_bytes > 0;
  if (it->chunk_bytes < limits->chunk_floor_bytes || it->chunk_bytes > limits->chunk_ceiling_bytes)
    it->chunk_bytes = limits->chunk_start_bytes;
  it->wait_until = it->clock;
  // What the area holds of another image must not look like a part of this one.
  if (it->received_bytes == 0 && agent->port->staging_bytes(agent->port->ctx) > 0 &&
      agent->port->staging_clear(agent->port->ctx) != OTA_OK)
    return OTA_ERR_STORAGE;
  ota_report_progress(agent, false);
  return OTA_OK;
}

void ota_download_stop(struct ota_agent *agent) {
  struct ota_download *it = &agent->download;
  if (it->phase == OTA_DOWNLOAD_HEAD || it->phase == OTA_DOWNLOAD_BODY) agent->port->http_end(agent->port->ctx, false);
  it->phase = OTA_DOWNLOAD_PAUSE;
}

void ota_download_fresh_url(struct ota_agent *agent) {
  struct ota_download *it = &agent->download;
  if (agent->work != OTA_WORK_DOWNLOAD || it->phase != OTA_DOWNLOAD_NO_URL) return;
  it->asked = 0;
  it->phase = OTA_DOWNLOAD_PAUSE;
  it->wait_until = ota_now(agent);
}

void ota_download_online(struct ota_agent *agent) {
  if (agent->work == OTA_WORK_DOWNLOAD && agent->download.phase == OTA_DOWNLOAD_NO_URL) ota_report_progress(agent, true);
}

static void give_up(struct ota_agent *agent, enum ota_failure_code code, enum ota_range_problem problem) {
  static const char *const names[] = {
      "",           "the URLs were refused",   "no such file",         "range not satisfiable",     "server error",
      "wrong size", "an answer of no use",     "no connection",        "stalled",                   "broken off",
      "storage failed",
  };
  ota_apply_failed(agent, code, names[problem]);
}

/** A GET is over; decides what the next is. */
static void ended(struct ota_agent *agent, enum ota_range_problem problem, bool keep) {
  const struct ota_limits *limits = &agent->config.limits;
  const struct ota_timing *timing = &agent->config.timing;
  struct ota_download *it = &agent->download;
  agent->port->http_end(agent->port->ctx, keep);
  it->phase = OTA_DOWNLOAD_PAUSE;
  if (problem == OTA_RANGE_STORAGE) {
    give_up(agent, OTA_FAILURE_STORAGE_FAILED, problem);
    return;
  }
  if (problem == OTA_RANGE_WRONG_SIZE) {
    it->received_bytes = it->from;
    it->stats.redownloaded_bytes += it->wrote;
    it->wrote = 0;
  }
  count_wasted(it, it->skipped);
  if (it->wrote > 0) {
    it->unsaved_chunks++;
    it->broken = 0;
    it->refusals = 0;
  }
  uint64_t now = tick(agent);
  // A remainder or a body beyond the chunk says nothing about chunks of this size.
  if (problem != OTA_RANGE_OK || it->wrote >= it->chunk_bytes)
    it->chunk_bytes = ota_next_chunk(it->chunk_bytes, problem != OTA_RANGE_OK, now - it->started_at, timing->fast_chunk_ms,
                                     timing->slow_chunk_ms, limits->chunk_floor_bytes, limits->chunk_ceiling_bytes);
  bool complete = it->received_bytes >= ota_delta_bytes(agent);
  bool due = it->unsaved_chunks >= limits->checkpoint_chunks || problem != OTA_RANGE_OK || complete ||
             now - it->saved_at >= timing->checkpoint_ms;
  if (it->unsaved_chunks > 0 && due && ota_download_checkpoint(agent) != OTA_OK) {
    ota_fault(agent, "checkpoint not stored");
    return;
  }
  it->wait_until = now;
  if (problem == OTA_RANGE_OK && it->wrote > 0) return;
  if (problem == OTA_RANGE_OK) problem = OTA_RANGE_UNEXPECTED;

  it->resuming = it->received_bytes > 0;
  if (problem == OTA_RANGE_URL_REFUSED) {
    if (++it->refusals > limits->url_refusals) give_up(agent, OTA_FAILURE_DOWNLOAD_FAILED, problem);
    else ask_for_url(agent, now);
    return;
  }
  if (problem == OTA_RANGE_UNSATISFIABLE) it->rangeless = true;
  it->broken++;
  bool answered = it->head.status != 0 && problem != OTA_RANGE_TRUNCATED && problem != OTA_RANGE_STALLED;
  if (it->broken >= (answered ? limits->response_failures : limits->network_failures)) {
    bool size = problem == OTA_RANGE_WRONG_SIZE;
    give_up(agent, size ? OTA_FAILURE_SIZE_MISMATCH : OTA_FAILURE_DOWNLOAD_FAILED, problem);
    return;
  }
  uint64_t pause = ota_backoff_ms(agent->port, it->broken - 1, timing->retry_min_ms, timing->retry_max_ms);
  uint64_t asked_for = (uint64_t)it->head.retry_after_s * 1000;
  if (asked_for > timing->retry_max_ms) asked_for = timing->retry_max_ms;
  it->wait_until = now + (asked_for > pause ? asked_for : pause);
}

static void get(struct ota_agent *agent, uint64_t now) {
  struct ota_download *it = &agent->download;
  uint32_t size = ota_delta_bytes(agent);
  uint32_t left = size - it->received_bytes;
  it->from = it->received_bytes;
  uint32_t to = it->from + (left < it->chunk_bytes ? left : it->chunk_bytes);
  it->wrote = 0;
  it->skipped = 0;
  it->started_at = now;
  it->heard_at = now;
  ota_http_head_begin(&it->head, 0);
  it->phase = OTA_DOWNLOAD_HEAD;
  if (ota_seal_get(agent, it->from, it->rangeless ? 0 : to) != OTA_OK)
    ended(agent, OTA_RANGE_NETWORK, false);
}

static bool is_stalled(const struct ota_agent *agent, uint64_t now) {
  return now - agent->download.heard_at >= agent->config.timing.stall_ms;
}

static void read_head(struct ota_agent *agent, uint64_t now) {
  struct ota_download *it = &agent->download;
  int answered = ota_seal_head(agent, &it->head);
  if (answered < 0) {
    ended(agent, OTA_RANGE_NETWORK, false);
    return;
  }
  if (answered == 0) {
    if (is_stalled(agent, now)) ended(agent, OTA_RANGE_STALLED, false);
    return;
  }
  it->heard_at = now;
  enum ota_range_problem problem =
      ota_http_plan(&it->head, it->from, ota_delta_bytes(agent), &it->at, &it->end);
  if (problem != OTA_RANGE_OK) ended(agent, problem, false);
  else it->phase = OTA_DOWNLOAD_BODY;
}

/** Takes the part of a piece of the body that is wanted. False when storage failed. */
static bool take(struct ota_agent *agent, const uint8_t *data, uint32_t bytes) {
  const struct ota_port *port = agent->port;
  struct ota_download *it = &agent->download;
  uint32_t unwanted = it->from > it->at ? it->from - it->at : 0;
  uint32_t start = unwanted < bytes ? unwanted : bytes;
  uint32_t room = it->end > it->at ? it->end - it->at : 0;
  uint32_t stop = room < bytes ? room : bytes;
  if (stop < start) stop = start;
  if (stop > start) {
    if (!ota_delta_take(agent, data + start, stop - start) &&
        port->staging_write(port->ctx, it->at + start, data + start, stop - start) != OTA_OK)
      return false;
    if (it->resuming) it->stats.resumes++;
    it->resuming = false;
    it->received_bytes = it->at + stop;
    it->stats.received_bytes += stop - start;
    it->wrote += stop - start;
  }
  it->skipped += bytes - (stop - start);
  it->at += bytes;
  return true;
}

static bool read_body(struct ota_agent *agent, uint64_t now) {
  struct ota_download *it = &agent->download;
  size_t capacity = 0;
  uint8_t *data = ota_delta_buffer(agent, &capacity);
  int bytes = ota_seal_read(agent, data, capacity);
  if (bytes > 0) {
    it->heard_at = now;
    if (!take(agent, data, (uint32_t)bytes)) {
      ended(agent, OTA_RANGE_STORAGE, false);
      return true;
    }
    if (it->wrote > 0 && agent->journal.state.job.stage == OTA_ACCEPTED) ota_apply_simple(agent, OTA_EVENT_RECEIVING);
    ota_report_progress(agent, false);
    // More than was promised: the surplus is dropped, and the connection with it.
    if (it->at > it->end) ended(agent, OTA_RANGE_OK, false);
    return true;
  }
  bool complete = it->at >= it->end;
  if (bytes == OTA_ERR_ABSENT) {
    // A whole body of unknown length that ends properly but early is another body.
    enum ota_range_problem early = it->head.status == 200 ? OTA_RANGE_WRONG_SIZE : OTA_RANGE_TRUNCATED;
    ended(agent, complete ? OTA_RANGE_OK : early, complete);
  } else if (bytes < 0) {
    ended(agent, complete ? OTA_RANGE_OK : OTA_RANGE_TRUNCATED, false);
  } else if (is_stalled(agent, now)) {
    ended(agent, complete ? OTA_RANGE_OK : OTA_RANGE_STALLED, false);
  } else {
    return false;
  }
  return true;
}

uint64_t ota_download_poll(struct ota_agent *agent, uint64_t now) {
  struct ota_download *it = &agent->download;
  uint64_t stalled_at = it->heard_at + agent->config.timing.stall_ms;
  if (ota_seal_fails(agent) || ota_delta_work(agent)) return now;
  switch (it->phase) {
    case OTA_DOWNLOAD_HEAD:
      read_head(agent, now);
      return it->phase == OTA_DOWNLOAD_HEAD ? stalled_at : now;
    case OTA_DOWNLOAD_BODY:
      return read_body(agent, now) ? now : stalled_at;
    case OTA_DOWNLOAD_NO_URL:
      if (it->wait_until > now) return it->wait_until;
      ask_for_url(agent, now);
      return it->wait_until;
    case OTA_DOWNLOAD_PAUSE:
    default:
      break;
  }
  if (it->wait_until > now) return it->wait_until;
  if (it->received_bytes >= ota_delta_bytes(agent)) {
    if (!ota_delta_finish(agent)) return now;
    agent->journal.state.job.stats = it->stats;
    ota_apply_simple(agent, OTA_EVENT_DOWNLOADED);
  } else if (agent->config.buffers.url[0] == '\0') {
    ask_for_url(agent, now);
  } else {
    get(agent, now);
  }
  return now;
}
