/* The start, in order: settings, screen, card, radio, time, identity, then the agent for ever. */
#include <stdio.h>

#include "device.h"
#include "enrolment.h"
#include "esp_heap_caps.h"
#include "esp_system.h"
#include "esp_task_wdt.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "ota_agent.h"
#include "sdkconfig.h"
#include "store.h"

static const char component[] = "main";
/* Of the device as it is registered: the Uno is a part of it, and its firmware is for this hardware too. */
static const char hardware[] = "esp32-s3";
static const char uno_component[] = "uno";
static const char uno_hardware[] = "arduino-uno";

enum {
  AGENT_STACK_BYTES = 16 * 1024,
  AGENT_PRIORITY = 3,
  WORK_BYTES = 64 * 1024,
  JOURNAL_BYTES = 16 * 1024,
  INBOX_BYTES = OTA_INBOX_MIN_BYTES,
  MAX_SLEEP_MS = 20,
  SHOW_EVERY_MS = 500,
  RETRY_MS = 10000,
  TIME_TIMEOUT_MS = 15000,
  /* An image on trial that cannot even start an agent in this time goes back. */
  TRIAL_START_MS = 5 * 60 * 1000,
};

struct program {
  struct device device;
  struct ota_port port;
  struct ota_installer main;
  struct ota_installer uno;
  struct ota_agent agent;
};

static uint32_t now_ms(void) { return (uint32_t)(esp_timer_get_time() / 1000); }

/* A start that cannot go on tries again; one on trial for too long gives up, which brings the old image back. */
static void wait_and_reconsider(void) {
  vTaskDelay(pdMS_TO_TICKS(RETRY_MS));
  if (now_ms() > TRIAL_START_MS) slots_give_up_trial();
}

static void halt(struct device *device, const char *why) {
  screen_say(&device->screen, why);
  for (;;) wait_and_reconsider();
}

static void load_settings(struct device *device) {
  const char *missing = store_open() == OTA_OK ? settings_load(&device->settings) : "NVS";
  if (!missing) return;
  char text[80];
  (void)snprintf(text, sizeof text, "Setting missing: %s", missing);
  halt(device, text);
}

static void open_storage(struct device *device) {
  if (staging_open(&device->staging) != OTA_OK) halt(device, "No SD card (FAT32) that can be read");
}

/* TLS judges certificates by the clock, so NTP comes before the first handshake. */
static void await_time(struct device *device) {
  screen_say(&device->screen, "Waiting for Wi-Fi and the time");
  if (network_start(&device->network, &device->settings) != OTA_OK) halt(device, "The radio does not start");
  while (!network_await_time(&device->settings, TIME_TIMEOUT_MS)) wait_and_reconsider();
}

static void await_identity(struct device *device) {
  device->identity.id = device->settings.id;
  if (identity_load(&device->identity) != OTA_OK) halt(device, "The identity cannot be read");
  while (!identity_enrolled(&device->identity)) {
    screen_say(&device->screen, "Asking for a certificate");
    const int error = enrolment_run(&device->identity, &device->settings);
    if (error == OTA_ERR_CERTIFICATE) screen_say(&device->screen, "Enrolment refused: is the token fresh?");
    if (error) wait_and_reconsider();
  }
}

/* A picture, a card and a network; the agent itself waits for the broker. */
static int self_test(void *context) {
  const struct device *device = context;
  if (!device->screen.on || device->staging.file < 0) return OTA_ERR_INSTALL;
  return atomic_load(&device->network.online) ? OTA_OK : OTA_ERR_BUSY;
}

static void start_parts(struct program *program) {
  struct device *device = &program->device;
  device->mqtt.settings = &device->settings;
  device->mqtt.identity = &device->identity;
  device->http.trust = device->settings.trust;
  device->slots.crypto = &device->crypto;
  device->slots.buffer = heap_caps_malloc(SLOTS_BUFFER_BYTES, MALLOC_CAP_INTERNAL);
  device->slots.self_test = self_test;
  device->slots.self_test_context = device;
  device->report = (struct report){.network = &device->network, .mqtt = &device->mqtt};
  if (!device->slots.buffer || mqtt_start(&device->mqtt) != OTA_OK || http_start(&device->http) != OTA_OK) {
    halt(device, "Out of memory");
  }
  program->port = device_port(device);
  program->main = slots_installer(&device->slots, component, hardware);
#if CONFIG_FLOTA_UNO
  device->uno.crypto = &device->crypto;
  if (uno_start(&device->uno) != OTA_OK) halt(device, "The Uno's serial line does not start");
  screen_say(&device->screen, "Looking at the Uno");
  uno_attest(&device->uno);
  device->report.uno = &device->uno.installer;
  program->uno = uno_installer(&device->uno.installer, uno_component, uno_hardware);
#else
  (void)uno_component;
  (void)uno_hardware;
#endif
}

static void start_agent(struct program *program) {
  struct device *device = &program->device;
  const struct ota_config config = {
      .port = &program->port,
      .main = &program->main,
      .child = program->uno.component ? &program->uno : NULL,
      .keys = device->settings.keys,
      .key_count = device->settings.key_count,
      .timing = ota_default_timing,
      .limits = ota_default_limits,
      .buffers = {.inbox = heap_caps_malloc(INBOX_BYTES, MALLOC_CAP_SPIRAM),
                  .inbox_bytes = INBOX_BYTES,
                  .work = heap_caps_malloc(WORK_BYTES, MALLOC_CAP_SPIRAM),
                  .work_bytes = WORK_BYTES,
                  .journal = heap_caps_malloc(JOURNAL_BYTES, MALLOC_CAP_SPIRAM),
                  .journal_bytes = JOURNAL_BYTES,
                  .url = heap_caps_malloc(OTA_URL_MAX + 1, MALLOC_CAP_SPIRAM)},
  };
  if (!config.buffers.inbox || !config.buffers.work || !config.buffers.journal || !config.buffers.url) halt(device, "Out of memory");
  while (ota_agent_init(&program->agent, &config) != OTA_OK) {
    screen_say(&device->screen, "The agent does not start");
    wait_and_reconsider();
  }
}

static void run_agent(struct program *program) {
  uint32_t shown_at = 0;
  /* From here on a poll that never returns resets the chip, and an image on trial with it. */
  (void)esp_task_wdt_add(NULL);
  while (!ota_agent_ended(&program->agent)) {
    (void)esp_task_wdt_reset();
    const uint32_t sleep_ms = ota_agent_poll(&program->agent);
    if (program->uno.component) uno_installer_poll(&program->device.uno.installer);
    if (now_ms() - shown_at >= SHOW_EVERY_MS) {
      struct ota_snapshot snapshot;
      ota_agent_snapshot(&program->agent, &snapshot);
      screen_show(&program->device.screen, program->device.settings.id, &snapshot);
      shown_at = now_ms();
    }
    /* One tick at least: the idle task must run too. */
    const TickType_t ticks = pdMS_TO_TICKS(sleep_ms < MAX_SLEEP_MS ? sleep_ms : MAX_SLEEP_MS);
    vTaskDelay(ticks > 0 ? ticks : 1);
  }
  esp_restart();
}

static void run(void *context) {
  struct program *program = context;
  struct device *device = &program->device;
  const int picture = screen_start(&device->screen);
  load_settings(device);
  if (picture != OTA_OK) slots_give_up_trial();
  open_storage(device);
  await_time(device);
  await_identity(device);
  start_parts(program);
  start_agent(program);
  run_agent(program);
}

void app_main(void) {
  /* The stack is in internal memory: what writes flash may not stand in PSRAM. */
  struct program *program = heap_caps_calloc(1, sizeof *program, MALLOC_CAP_SPIRAM);
  if (!program || xTaskCreatePinnedToCore(run, "agent", AGENT_STACK_BYTES, program, AGENT_PRIORITY, NULL, tskNO_AFFINITY) != pdPASS) {
    slots_give_up_trial();
    esp_restart();
  }
}
