/**
 * @file
 * Flota: over-the-air updates for any ESP32 with two OTA slots. Start it once, early in app_main, when NVS, the network interface and
 * the default event loop are there; it needs no answer from the network to start and waits for one as long as it takes:
 *
 *     ESP_ERROR_CHECK(flota_start(&(flota_config_t){.self_test = is_my_sensor_there}));
 *
 * What one device is (id, addresses, trust, signing keys) comes from the NVS namespace "settings", written once by the factory.
 */
#ifndef FLOTA_H
#define FLOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What Flota is doing. */
typedef enum {
  FLOTA_STARTING = 0, /*!< Time and certificate are being got; `problem` says what is in the way */
  FLOTA_IDLE,
  FLOTA_ACCEPTED,
  FLOTA_DOWNLOADING,
  FLOTA_VERIFYING,
  FLOTA_INSTALLING,
  FLOTA_RESTARTING,
} flota_stage_t;

/** Texts are NUL-terminated and valid during the call only. */
typedef struct {
  flota_stage_t stage; /*!< What Flota is doing */
  bool online;   /*!< Connected to the broker */
  bool on_trial; /*!< The running image has not proved itself yet */
  const char *id;        /*!< Of the device; "" while starting */
  const char *running;   /*!< Version of the running image; "" while starting */
  const char *component; /*!< Of the update under way; NULL when there is none */
  const char *version;   /*!< Of the update under way; NULL when there is none */
  uint32_t received_bytes; /*!< Of the update under way */
  uint32_t total_bytes;    /*!< Of its image */
  const char *problem; /*!< One line, or NULL */
} flota_status_t;

/** A part of the device with a firmware of its own, such as a processor behind a serial line: struct ota_installer of ota_port.h. */
struct ota_installer;

/** All members may be left out. What it points to must outlive the program. */
typedef struct {
  /**
   * Says whether the image that is on trial is any good. ESP_OK: yes. ESP_ERR_NOT_FINISHED: not known yet, ask again. Others: no, go
   * back to the old one. Left out: reaching the broker is proof enough. Called from Flota's task; must return within a second.
   * Ask only about what a new image can break: a dead SD card is not its fault.
   */
  esp_err_t (*self_test)(void *context);
  /** For a screen or an LED: called from Flota's task at least twice a second, and once by flota_start when it fails. */
  void (*on_status)(const flota_status_t *status, void *context);
  /** Of both callbacks. */
  void *context;
  /**
   * Where images are staged. NULL: in the slot that does not run. Otherwise a file on a file system that the program has mounted
   * ("/sd/flota.img"), which keeps the old image until the new one has come whole. When the file cannot be opened, the slot is used.
   */
  const char *staging_file;
  /** A processor with a firmware of its own, or NULL. */
  const struct ota_installer *child;
  /** Hardware that firmware must be signed for, as the device is registered. NULL: CONFIG_FLOTA_HARDWARE. */
  const char *hardware;
} flota_config_t;

/**
 * Starts Flota in tasks of its own and returns at once. On failure one line says why in the log; an image on trial is then given up, and
 * the call does not return.
 *
 * - ESP_ERR_NOT_FOUND: no second OTA slot (or no otadata) in the partition table, or a setting is missing
 * - ESP_ERR_INVALID_SIZE: the slots differ in size
 * - ESP_ERR_INVALID_ARG: no hardware is named
 * - ESP_ERR_NO_MEM, ESP_ERR_INVALID_STATE (started before), ESP_FAIL (NVS cannot be read)
 */
esp_err_t flota_start(const flota_config_t *config);

/**
 * Newest readings, sent as `data/sensors` with the next telemetry: the members of a JSON object, such as "\"temperatureC\":21.5".
 * ESP_ERR_INVALID_SIZE: longer than 255 bytes. From any task.
 */
esp_err_t flota_set_sensors(const char *members);

/**
 * A text of the factory's settings, for what the program has there beside Flota's own (wifi_ssid, wifi_password).
 * ESP_ERR_NOT_FOUND, ESP_ERR_INVALID_SIZE (does not fit), or ESP_FAIL. Before or after flota_start.
 */
esp_err_t flota_setting(const char *name, char *text, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
