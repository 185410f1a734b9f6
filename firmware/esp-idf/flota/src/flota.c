/* The start, in order: what is on the chip, settings, identity, the parts; then the agent for ever. Nothing waits for the network. */
#include "flota.h"

#include <stdio.h>

#include "clock.h"
#include "core_dump.h"
#include "delta.h"
#include "device.h"
#include "esp_log.h"
#include "esp_netif.h"
#include "esp_system.h"
#include "esp_task_wdt.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "join.h"
#include "buffers.h"
#include "ota_agent.h"
#include "options.h"
#include "seal.h"
#include "start_guard.h"
#include "store.h"

#if !CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE
#error "Flota: CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y is needed, or a bad image cannot be taken back"
#endif

static const char tag[] = "flota";
static const char component[] = "main";

enum {
  STACK_BYTES = 12 * 1024,
  PRIORITY = 3,
  WORK_BYTES = CONFIG_FLOTA_WORK_KIB * 1024,
  JOURNAL_BYTES = CONFIG_FLOTA_JOURNAL_KIB * 1024,
  MAX_SLEEP_MS = 20,
  STATUS_EVERY_MS = 250,
};

struct program {
  struct device device;
  struct join join;
  struct ota_port port;
  struct ota_installer main;
  struct ota_agent agent;
  struct ota_config config;
  uint32_t told_at;
};

static struct program *started;

static uint32_t now_ms(void) { return (uint32_t)(esp_timer_get_time() / 1000); }

static int self_test(void *context) {
  const flota_config_t *config = context;
  const esp_err_t verdict = config->self_test(config->context);
  if (verdict == ESP_OK) return OTA_OK;
  if (verdict == ESP_ERR_NOT_FINISHED) return OTA_ERR_BUSY;
  ESP_LOGE(tag, "the program's self-test says %s: going back", esp_err_to_name(verdict));
  return OTA_ERR_INSTALL;
}

static uint32_t may_install(void *context, char *reason, size_t capacity) {
  const flota_config_t *config = context;
  return config->may_install(reason, capacity, config->context);
}

static uint32_t may_reboot(void *context, char *reason, size_t capacity) {
  const flota_config_t *config = context;
  return config->may_reboot(reason, capacity, config->context);
}

static flota_stage_t stage_of(enum ota_stage stage) {
  static const flota_stage_t stages[OTA_STAGES] = {FLOTA_IDLE,      FLOTA_ACCEPTED,   FLOTA_DOWNLOADING,
                                                   FLOTA_VERIFYING, FLOTA_INSTALLING, FLOTA_RESTARTING};
  return stages[stage];
}

static void tell(struct program *program, flota_status_t *status) {
  const flota_config_t *config = &program->device.config;
  if (!config->on_status || now_ms() - program->told_at < STATUS_EVERY_MS) return;
  program->told_at = now_ms();
  status->id = program->device.settings.id;
  config->on_status(status, config->context);
}

static void tell_start(struct program *program, const char *problem) {
  flota_status_t status = {.stage = FLOTA_STARTING, .on_trial = flota_slots_on_trial(), .running = "", .problem = problem};
  tell(program, &status);
}

static void tell_agent(struct program *program) {
  struct ota_snapshot snapshot;
  ota_agent_snapshot(&program->agent, &snapshot);
  flota_status_t status = {.stage = stage_of(snapshot.stage),
                           .online = snapshot.online,
                           .on_trial = snapshot.on_trial,
                           .running = snapshot.running->version,
                           .component = snapshot.component,
                           .version = snapshot.version,
                           .received_bytes = snapshot.received_bytes,
                           .total_bytes = snapshot.total_bytes,
                           .deferred = snapshot.deferred};
  tell(program, &status);
}

/* A start that cannot go on yet; one on trial for too long gives up, which brings the old image back. */
static void wait_a_little(struct program *program, const char *problem) {
  (void)esp_task_wdt_reset();
  tell_start(program, problem);
  vTaskDelay(pdMS_TO_TICKS(STATUS_EVERY_MS));
  if (now_ms() > CONFIG_FLOTA_TRIAL_START_S * 1000U) flota_slots_give_up_trial();
}

static void run_agent(struct program *program) {
  program->device.crashed = flota_core_dump_read(&program->device.crash);
  while (ota_agent_init(&program->agent, &program->config) != OTA_OK) wait_a_little(program, "NVS cannot be read or written");
  while (!ota_agent_ended(&program->agent)) {
    (void)esp_task_wdt_reset();
    const uint32_t sleep_ms = ota_agent_poll(&program->agent);
    struct device *device = &program->device;
    if (device->crashed && ota_crash_poll(&device->crash, &program->agent)) device->crashed = !flota_core_dump_erase();
    tell_agent(program);
    flota_clock_keep();
    /* One tick at least: the idle task must run too. */
    const TickType_t ticks = pdMS_TO_TICKS(sleep_ms < MAX_SLEEP_MS ? sleep_ms : MAX_SLEEP_MS);
    vTaskDelay(ticks > 0 ? ticks : 1);
  }
  esp_restart();
}

static void run(void *context) {
  struct program *program = context;
  /* From here on a start or a poll that never returns resets the chip, and an image on trial with it. */
  if (esp_task_wdt_add(NULL) != ESP_OK) ESP_LOGW(tag, "the task watchdog is not running: an image that hangs is not reset");
  flota_start_guard_end();
  while (!atomic_load(&program->join.enrolled)) wait_a_little(program, atomic_load(&program->join.problem));
  run_agent(program);
}

static int start_parts(struct program *program) {
  struct device *device = &program->device;
  device->mqtt.settings = &device->settings;
  device->mqtt.identity = &device->identity;
  device->http.trust = device->settings.trust;
  device->slots.crypto = &device->crypto;
  device->slots.buffer = heap_caps_malloc(SLOTS_BUFFER_BYTES, MALLOC_CAP_INTERNAL);
  device->slots.self_test = device->config.self_test ? self_test : NULL;
  device->slots.may_install = device->config.may_install ? may_install : NULL;
  device->slots.may_reboot = device->config.may_reboot ? may_reboot : NULL;
  device->slots.context = &device->config;
  if (!device->slots.buffer) return OTA_ERR_SPACE;
  int error = flota_staging_open(&device->staging, &device->slots, device->config.staging_file);
  device->slots.staged_in_place = flota_staging_is_in_slot(&device->staging);
  if (!error) error = flota_mqtt_start(&device->mqtt);
  if (!error) error = flota_http_start(&device->http);
  return error;
}

static bool prepare_agent(struct program *program) {
  struct device *device = &program->device;
  program->port = flota_device_port(device);
  program->main = flota_slots_installer(&device->slots, component, device->config.hardware);
  program->config = (struct ota_config){
      .port = &program->port,
      .main = &program->main,
      .child = device->config.child,
      .keys = device->settings.keys,
      .key_count = device->settings.key_count,
      .timing = ota_default_timing,
      .limits = ota_default_limits,
      .buffers = {.inbox = memory_take(OTA_INBOX_MIN_BYTES),
                  .inbox_bytes = OTA_INBOX_MIN_BYTES,
                  .work = memory_take(WORK_BYTES),
#ifdef FLOTA_DELTA
                  /* Without it images come whole. */
                  .delta = memory_take(sizeof(struct ota_delta)),
#endif
                  .work_bytes = WORK_BYTES,
                  .journal = memory_take(JOURNAL_BYTES),
                  .journal_bytes = JOURNAL_BYTES,
                  .url = memory_take(OTA_URL_MAX + 1),
#ifdef FLOTA_SEAL
                  // Without this memory the device takes no encrypted firmware, and does not say that it does.
                  .seal = memory_take(sizeof(struct ota_seal)),
#endif
                  },
  };
  const struct ota_buffers *buffers = &program->config.buffers;
  return buffers->inbox && buffers->work && buffers->journal && buffers->url;
}

/* NULL, or why it cannot be, in one line; `error` is then set. */
static const char *start(struct program *program, esp_err_t *error) {
  struct device *device = &program->device;
  struct ota_validity validity = {0};
  if (!device->config.hardware) device->config.hardware = CONFIG_FLOTA_HARDWARE;
  *error = ESP_ERR_INVALID_ARG;
  if (device->config.hardware[0] == '\0') return "no hardware is named: set CONFIG_FLOTA_HARDWARE, or hardware in flota_config_t";
  const char *problem = flota_slots_find(&device->slots);
  *error = problem && device->slots.other ? ESP_ERR_INVALID_SIZE : ESP_ERR_NOT_FOUND;
  if (problem) return problem;
  *error = ESP_FAIL;
  if (flota_store_open() != OTA_OK) return "NVS cannot be read: is the partition `nvs` there, and not full?";
  *error = ESP_ERR_NOT_FOUND;
  problem = flota_settings_load(&device->settings);
  if (problem) return problem;
  *error = ESP_FAIL;
  device->identity.id = device->settings.id;
  if (flota_crypto_start() != OTA_OK || flota_identity_load(&device->identity) != OTA_OK) return "the identity in NVS cannot be read";
  if (esp_netif_init() != ESP_OK) return "the network stack does not start";
  (void)flota_identity_validity(&device->identity, &validity);
  flota_clock_begin(validity.not_before_ms);
  *error = ESP_ERR_NO_MEM;
  if (start_parts(program) != OTA_OK || !prepare_agent(program)) return "out of memory";
  if (flota_join_start(&program->join, &device->identity, &device->settings) != OTA_OK) return "out of memory";
  /* The stack is in internal memory: what writes flash may not stand in PSRAM. */
  if (xTaskCreatePinnedToCore(run, "flota", STACK_BYTES, program, PRIORITY, NULL, tskNO_AFFINITY) != pdPASS) return "out of memory";
  return NULL;
}

esp_err_t flota_start(const flota_config_t *config) {
  if (started) return ESP_ERR_INVALID_STATE;
  esp_err_t error = ESP_ERR_NO_MEM;
  const char *problem = "out of memory";
  started = memory_take(sizeof *started);
  if (started) {
    if (config) started->device.config = *config;
    problem = start(started, &error);
  }
  if (!problem) return ESP_OK;
  ESP_LOGE(tag, "not started: %s", problem);
  if (config && config->on_status) config->on_status(&(flota_status_t){.id = "", .running = "", .problem = problem}, config->context);
  /* A new image that cannot even do this goes back; without one the program goes on without Flota. */
  flota_slots_give_up_trial();
  flota_start_guard_end();
  return error;
}

esp_err_t flota_setting(const char *name, char *text, size_t capacity) {
  if (flota_store_open() != OTA_OK) return ESP_FAIL;
  switch (flota_store_setting(name, text, capacity)) {
    case OTA_OK: return ESP_OK;
    case OTA_ERR_ABSENT: return ESP_ERR_NOT_FOUND;
    case OTA_ERR_SPACE: return ESP_ERR_INVALID_SIZE;
    default: return ESP_FAIL;
  }
}
