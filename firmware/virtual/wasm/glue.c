/**
 * The agent as a WebAssembly module: many agents in one instance, each in a block of the linear memory, and all of them
 * behind one set of imported callbacks that are told which agent it is by its address. The other side is ../imports.ts.
 * Inbox and work buffer are shared: calls do not overlap, and no agent keeps anything in them between two calls.
 */
#include <string.h>

#include "../../agent/crash.h"
#include "../../agent/delta.h"
#include "../../agent/ota_agent.h"
#include "../../agent/seal.h"

#define EXPORT(name) __attribute__((export_name(#name))) name
#define IMPORT(result, name, ...) \
  __attribute__((import_module("port"), import_name(#name))) result import_##name(__VA_ARGS__)

enum { work_bytes = 64 * 1024, journal_bytes = 24 * 1024, page_bytes = 64 * 1024, keys_max = 8, topic_max = 64 };

struct device {
  bool resumes;
  enum ota_boot_reason boot_reason;
  char component[OTA_COMPONENT_MAX + 1];
  char hardware[OTA_HARDWARE_MAX + 1];
  char url[OTA_URL_MAX + 1];
  size_t key_count;
  struct ota_signing_key keys[keys_max];
  struct ota_timing timing;
  struct ota_limits limits;
  struct ota_port port;
  struct ota_installer main;
  struct ota_agent agent;
  bool crashed;
  struct ota_crash crash;
  bool takes_patches;
  struct ota_delta delta;
  bool opens_sealed;
  struct ota_seal seal;
  /** Of a block that is free. */
  struct device *next;
  /** Last: what of it is never written costs nothing. */
  uint8_t journal[journal_bytes];
};

/** What ../agent-module.ts reads of an agent; numbers first, in this order. */
struct view {
  double attempt, download_ms, received_bytes, redownloaded_bytes, resumes;
  double position_bytes, total_bytes, chunk_bytes, boot_count, outbox_messages, boot_reason;
  const char *deployment, *version;
};

static char inbox[OTA_INBOX_MIN_BYTES];
static uint8_t work[work_bytes];
static char topic[topic_max];
static struct view view;
static struct device *free_blocks;
extern uint8_t __heap_base;
static uintptr_t heap_end;

IMPORT(int, mqtt_connect, void *ctx, enum ota_key_pair pair);
IMPORT(void, mqtt_disconnect, void *ctx);
IMPORT(int, mqtt_publish, void *ctx, const char *topic, const char *payload, size_t bytes);
/** Writes the topic, NUL-terminated, and the length of the payload; bit 8 of what it returns: a broker was reached. */
IMPORT(int, mqtt_poll, void *ctx, char *inbox, size_t capacity, char *topic, size_t topic_capacity, size_t *bytes);
IMPORT(int, http_get, void *ctx, const char *url, uint32_t from, uint32_t to);
/** Bytes of "status\nname:value\n…", 0: not yet, or an ota_error. */
IMPORT(int, http_head, void *ctx, char *text, size_t capacity);
IMPORT(int, http_read, void *ctx, uint8_t *data, size_t capacity);
IMPORT(void, http_end, void *ctx, int keep);
IMPORT(uint32_t, staging_bytes, void *ctx);
IMPORT(int, staging_write, void *ctx, uint32_t offset, const uint8_t *data, size_t bytes);
IMPORT(int, staging_read, void *ctx, uint32_t offset, uint8_t *data, size_t bytes);
IMPORT(int, staging_sync, void *ctx);
IMPORT(int, staging_clear, void *ctx);
IMPORT(int, store_read, void *ctx, enum ota_store_key key, uint8_t *data, size_t capacity);
IMPORT(int, store_write, void *ctx, enum ota_store_key key, const uint8_t *data, size_t bytes);
IMPORT(int, cert_validity, void *ctx, double *not_before_ms, double *not_after_ms);
IMPORT(enum ota_renewal_state, cert_state, void *ctx);
IMPORT(int, cert_request, void *ctx, char *csr, size_t capacity);
IMPORT(int, cert_store, void *ctx, const char *certificate, const char *chain);
IMPORT(int, cert_promote, void *ctx);
IMPORT(int, cert_drop, void *ctx);
IMPORT(int, sha256_start, void *ctx);
IMPORT(int, sha256_update, void *ctx, const uint8_t *data, size_t bytes);
IMPORT(int, sha256_finish, void *ctx, uint8_t *digest);
IMPORT(int, es256_verify, void *ctx, const uint8_t *xy, const uint8_t *message, size_t bytes, const uint8_t *signature);
IMPORT(int, seal_key, void *ctx, uint8_t *xy);
IMPORT(int, seal_agree, void *ctx, const uint8_t *xy, uint8_t *secret);
IMPORT(int, gcm_open, void *ctx, const uint8_t *key, const uint8_t *nonce, const uint8_t *extra, size_t extra_bytes, uint8_t *data,
       size_t bytes, const uint8_t *tag);
IMPORT(double, uptime_ms, void *ctx);
IMPORT(double, unix_ms, void *ctx);
IMPORT(int, random, void *ctx, uint8_t *data, size_t bytes);
IMPORT(void, reboot, void *ctx);
IMPORT(void, log, void *ctx, enum ota_log_level level, const char *text);
/** Which of `telemetry_topics`, or OTA_ERR_ABSENT. */
IMPORT(int, telemetry, void *ctx, unsigned index, char *fields, size_t capacity);
IMPORT(int, command, void *ctx, const char *command, const char *args, char *result, size_t capacity);
/** Fills the texts, and `addresses` with where it was and the backtrace, as many as it returns; OTA_ERR_ABSENT. */
IMPORT(int, crash, void *ctx, char *id, char *reason, char *task, char *elf, double *addresses);
IMPORT(int, crash_forget, void *ctx);
IMPORT(int, slot_running, void *ctx, char *version, size_t capacity, double *security_version, uint32_t *size,
       uint8_t *sha256);
IMPORT(int, slot_begin, void *ctx);
IMPORT(int, slot_write, void *ctx, uint32_t offset, const uint8_t *data, size_t bytes);
IMPORT(int, slot_finish, void *ctx);
IMPORT(int, slot_read, void *ctx, uint32_t offset, uint8_t *data, size_t bytes);
IMPORT(int, slot_read_running, void *ctx, uint32_t offset, uint8_t *data, size_t bytes);
IMPORT(int, slot_activate, void *ctx, const char *version, double security_version, uint32_t size,
       const uint8_t *sha256);
IMPORT(int, slot_trial, void *ctx);
IMPORT(int, slot_confirm, void *ctx);
IMPORT(int, slot_revert, void *ctx);
IMPORT(int, slot_self_test, void *ctx);
IMPORT(uint32_t, may_install, void *ctx, char *reason, size_t capacity);
IMPORT(uint32_t, may_reboot, void *ctx, char *reason, size_t capacity);

static int mqtt_poll(void *ctx, struct ota_mqtt_event *event, char *data, size_t capacity) {
  size_t bytes = 0;
  int type = import_mqtt_poll(ctx, data, capacity, topic, sizeof topic, &bytes);
  event->type = (enum ota_mqtt_event_type)(type & 0xff);
  event->reached = (type & 0x100) != 0;
  event->topic = topic;
  event->payload_bytes = bytes;
  return OTA_OK;
}

static int http_head(void *ctx, struct ota_http_head *head) {
  char text[512];
  int bytes = import_http_head(ctx, text, sizeof text - 1);
  if (bytes <= 0) return bytes;
  text[bytes] = '\0';
  int status = 0;
  char *line = text;
  for (; *line >= '0' && *line <= '9'; line++) status = status * 10 + (*line - '0');
  ota_http_head_begin(head, status);
  while ((line = strchr(line, '\n')) != NULL && *++line != '\0') {
    size_t name = strcspn(line, ":");
    size_t all = strcspn(line, "\n");
    if (name < all) ota_http_head_field(head, line, name, line + name + 1, all - name - 1);
  }
  return 1;
}

static void http_end(void *ctx, bool keep) {
  struct device *device = ctx;
  struct ota_download *download = &device->agent.download;
  // For comparison: a device without checkpoints begins again whenever its download breaks.
  const struct ota_job *job = &device->agent.journal.state.job;
  if (!device->resumes && !keep && job->patch_bytes == 0 && download->received_bytes < job->image.size) {
    download->stats.redownloaded_bytes += download->received_bytes;
    download->received_bytes = download->from = 0;
  }
  import_http_end(device, keep);
}

static int store_read(void *ctx, enum ota_store_key key, uint8_t *data, size_t capacity) {
  const struct device *device = ctx;
  if (key == OTA_STORE_CHECKPOINT && !device->resumes) return OTA_ERR_ABSENT;
  return import_store_read(ctx, key, data, capacity);
}

static int cert_validity(void *ctx, struct ota_validity *validity) {
  double not_before_ms = 0;
  double not_after_ms = 0;
  int error = import_cert_validity(ctx, &not_before_ms, &not_after_ms);
  *validity = (struct ota_validity){.not_before_ms = (int64_t)not_before_ms, .not_after_ms = (int64_t)not_after_ms};
  return error;
}

static uint64_t uptime_ms(void *ctx) { return (uint64_t)import_uptime_ms(ctx); }
static int64_t unix_ms(void *ctx) { return (int64_t)import_unix_ms(ctx); }

static enum ota_boot_reason boot_reason(void *ctx) { return ((struct device *)ctx)->boot_reason; }
static int telemetry(void *ctx, unsigned index, const char **to, char *fields, size_t capacity) {
  static const char *const topics[] = {"status/system", "status/network", "data/sensors", "data/metrics"};
  int which = import_telemetry(ctx, index, fields, capacity);
  if (which < 0 || which >= (int)(sizeof topics / sizeof topics[0])) return OTA_ERR_ABSENT;
  *to = topics[which];
  return OTA_OK;
}

static int slot_running(void *ctx, struct ota_image *image) {
  double security_version = 0;
  int error = import_slot_running(ctx, image->version, sizeof image->version, &security_version, &image->size,
                                  image->sha256);
  image->security_version = (uint64_t)security_version;
  return error;
}

static int slot_begin(void *ctx, const struct ota_image *image) {
  (void)image;
  return import_slot_begin(ctx);
}

static int slot_activate(void *ctx, const struct ota_image *image) {
  return import_slot_activate(ctx, image->version, (double)image->security_version, image->size,
                              image->sha256);
}

static void read_crash(struct device *device) {
  struct ota_crash *crash = &device->crash;
  double addresses[1 + OTA_CRASH_FRAMES] = {0};
  memset(crash, 0, sizeof *crash);
  int count = import_crash(device, crash->id, crash->reason, crash->task, crash->elf, addresses);
  device->crashed = count > 0;
  crash->pc = (uint64_t)addresses[0];
  for (int i = 1; i < count; i++) crash->backtrace[crash->depth++] = (uint64_t)addresses[i];
}

static void health(void *ctx, struct ota_text *text) {
  const struct device *device = ctx;
  if (device->crashed) ota_crash_write(&device->crash, text);
}

static const struct ota_port port = {
    .mqtt_connect = import_mqtt_connect,
    .mqtt_disconnect = import_mqtt_disconnect,
    .mqtt_publish = import_mqtt_publish,
    .mqtt_poll = mqtt_poll,
    .http_get = import_http_get,
    .http_head = http_head,
    .http_read = import_http_read,
    .http_end = http_end,
    .staging_bytes = import_staging_bytes,
    .staging_write = import_staging_write,
    .staging_read = import_staging_read,
    .staging_sync = import_staging_sync,
    .staging_clear = import_staging_clear,
    .store_read = store_read,
    .store_write = import_store_write,
    .cert_validity = cert_validity,
    .cert_state = import_cert_state,
    .cert_request = import_cert_request,
    .cert_store = import_cert_store,
    .cert_promote = import_cert_promote,
    .cert_drop = import_cert_drop,
    .sha256_start = import_sha256_start,
    .sha256_update = import_sha256_update,
    .sha256_finish = import_sha256_finish,
    .es256_verify = import_es256_verify,
    .uptime_ms = uptime_ms,
    .unix_ms = unix_ms,
    .random = import_random,
    .boot_reason = boot_reason,
    .reboot = import_reboot,
    .log = import_log,
    .telemetry = telemetry,
    .command = import_command,
    .health = health,
    .seal_key = import_seal_key,
    .seal_agree = import_seal_agree,
    .gcm_open = import_gcm_open,
};

static const struct ota_installer installer = {
    .running = slot_running,
    .begin = slot_begin,
    .write = import_slot_write,
    .finish = import_slot_finish,
    .read = import_slot_read,
    .activate = slot_activate,
    .trial = import_slot_trial,
    .confirm = import_slot_confirm,
    .revert = import_slot_revert,
    .self_test = import_slot_self_test,
    .may_install = import_may_install,
    .may_reboot = import_may_reboot,
    .read_running = import_slot_read_running,
};

static struct device *new_block(void) {
  const uintptr_t alignment = 16;
  if (heap_end == 0) heap_end = ((uintptr_t)&__heap_base + alignment - 1) & ~(alignment - 1);
  uintptr_t end = heap_end + ((sizeof(struct device) + alignment - 1) & ~(alignment - 1));
  size_t have = __builtin_wasm_memory_size(0);
  size_t want = (end + page_bytes - 1) / page_bytes;
  if (want > have && __builtin_wasm_memory_grow(0, want - have) == (size_t)-1) return NULL;
  struct device *block = (struct device *)heap_end;
  heap_end = end;
  return block;
}

/** A block for another agent, or null when memory has come to its end. The memory may have moved after this. */
struct device *EXPORT(create)(bool resumes, int reason, uint32_t slot_bytes, bool takes_patches,
                              bool opens_sealed) {
  struct device *device = free_blocks;
  if (device) free_blocks = device->next;
  else device = new_block();
  if (!device) return NULL;
  device->resumes = resumes;
  device->takes_patches = takes_patches;
  device->opens_sealed = opens_sealed;
  device->boot_reason = (enum ota_boot_reason)reason;
  device->key_count = 0;
  device->port = port;
  device->port.ctx = device;
  device->main = installer;
  device->main.ctx = device;
  device->main.component = device->component;
  device->main.hardware = device->hardware;
  device->main.slot_bytes = slot_bytes;
  return device;
}

void EXPORT(destroy)(struct device *device) {
  device->next = free_blocks;
  free_blocks = device;
}

/** Members of struct ota_timing and struct ota_limits, in their order: what `numbers` points to takes these. */
static const char names[] =
    "reconnectMinMs reconnectMaxMs connectMs resendMinMs resendMaxMs retryMinMs retryMaxMs urlRefreshMinMs "
    "urlRefreshMaxMs stallMs fastChunkMs slowChunkMs checkpointMs progressMs telemetryMs selfTestMs renewCheckMs "
    "renewRetryMs askAgainMs chunkFloorBytes chunkStartBytes chunkCeilingBytes checkpointChunks networkFailures "
    "responseFailures urlRefusals renewedConnects";
enum { timing_count = 19, limits_count = 8 };
_Static_assert(sizeof(struct ota_timing) == timing_count * sizeof(uint32_t), "name the new timing");
_Static_assert(sizeof(struct ota_limits) == limits_count * sizeof(uint32_t), "name the new limit");

const char *EXPORT(setting_names)(void) { return names; }

/** 64 KiB to pass texts and numbers in; not kept. */
uint8_t *EXPORT(scratch)(void) { return work; }

void EXPORT(set)(struct device *device, const uint32_t *numbers, const char *component, const char *hardware) {
  memcpy(&device->timing, numbers, sizeof device->timing);
  memcpy(&device->limits, numbers + timing_count, sizeof device->limits);
  ota_text_copy(device->component, sizeof device->component, component);
  ota_text_copy(device->hardware, sizeof device->hardware, hardware);
}

/** OTA_ERR_SPACE when there are too many keys already. */
int EXPORT(trust)(struct device *device, const char *kid, const uint8_t *xy) {
  if (device->key_count == keys_max) return OTA_ERR_SPACE;
  struct ota_signing_key *key = &device->keys[device->key_count++];
  ota_text_copy(key->kid, sizeof key->kid, kid);
  memcpy(key->xy, xy, sizeof key->xy);
  return OTA_OK;
}

int EXPORT(init)(struct device *device) {
  struct ota_config config = {
      .port = &device->port,
      .main = &device->main,
      .keys = device->keys,
      .key_count = device->key_count,
      .timing = device->timing,
      .limits = device->limits,
      .buffers = {.inbox = inbox,
                  .inbox_bytes = sizeof inbox,
                  .work = work,
                  .work_bytes = sizeof work,
                  .journal = device->journal,
                  .journal_bytes = sizeof device->journal,
                  .url = device->url,
                  .delta = device->takes_patches ? &device->delta : NULL,
                  .seal = device->opens_sealed ? &device->seal : NULL},
  };
  read_crash(device);
  return ota_agent_init(&device->agent, &config);
}

static uint32_t summary(const struct device *device) {
  const struct ota_agent *agent = &device->agent;
  struct ota_snapshot snapshot;
  ota_agent_snapshot(agent, &snapshot);
  return (uint32_t)snapshot.stage << 16 | (uint32_t)snapshot.on_trial << 20 | (uint32_t)snapshot.online << 21 |
         (uint32_t)ota_agent_ended(agent) << 22;
}

/** Milliseconds until something is due (low 16 bits), stage (16 to 19), on trial (20), online (21), ended (22). */
uint32_t EXPORT(poll)(struct device *device) {
  uint32_t wait = ota_agent_poll(&device->agent);
  if (device->crashed && ota_crash_poll(&device->crash, &device->agent)) device->crashed = import_crash_forget(device) != OTA_OK;
  return (wait < 0xffff ? wait : 0xffff) | summary(device);
}

int EXPORT(suspend)(struct device *device) { return ota_agent_suspend(&device->agent); }

const struct view *EXPORT(look)(const struct device *device) {
  const struct ota_agent *agent = &device->agent;
  const struct ota_job *job = &agent->journal.state.job;
  struct ota_snapshot snapshot;
  ota_agent_snapshot(agent, &snapshot);
  const struct ota_stats *stats = agent->work == OTA_WORK_DOWNLOAD ? &agent->download.stats : &job->stats;
  view = (struct view){
      .attempt = (double)job->attempt.number,
      .download_ms = (double)stats->download_ms,
      .received_bytes = (double)stats->received_bytes,
      .redownloaded_bytes = (double)stats->redownloaded_bytes,
      .resumes = stats->resumes,
      .position_bytes = snapshot.received_bytes,
      .total_bytes = snapshot.total_bytes,
      .chunk_bytes = snapshot.chunk_bytes,
      .boot_count = snapshot.boot_count,
      .outbox_messages = snapshot.outbox_messages,
      .boot_reason = agent->boot_reason,
      .deployment = job->attempt.deployment,
      .version = snapshot.version,
  };
  return &view;
}
