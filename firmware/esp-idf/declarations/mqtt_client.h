/* espressif/esp-mqtt 0e9ec17 (the submodule of esp-idf v5.5.5), include/mqtt_client.h */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "esp_event.h"
typedef struct esp_mqtt_client *esp_mqtt_client_handle_t;
typedef enum esp_mqtt_event_id_t {
  MQTT_EVENT_ANY = -1,
  MQTT_EVENT_ERROR = 0,
  MQTT_EVENT_CONNECTED,
  MQTT_EVENT_DISCONNECTED,
  MQTT_EVENT_SUBSCRIBED,
  MQTT_EVENT_UNSUBSCRIBED,
  MQTT_EVENT_PUBLISHED,
  MQTT_EVENT_DATA,
} esp_mqtt_event_id_t;
typedef enum esp_mqtt_error_type_t {
  MQTT_ERROR_TYPE_NONE = 0,
  MQTT_ERROR_TYPE_TCP_TRANSPORT,
  MQTT_ERROR_TYPE_CONNECTION_REFUSED,
} esp_mqtt_error_type_t;
typedef enum esp_mqtt_protocol_ver_t { MQTT_PROTOCOL_UNDEFINED = 0, MQTT_PROTOCOL_V_3_1, MQTT_PROTOCOL_V_3_1_1 } esp_mqtt_protocol_ver_t;
/* Members left out: those that the sources do not read. */
typedef struct esp_mqtt_error_codes {
  esp_err_t esp_tls_last_esp_err;
  int esp_tls_stack_err;
  esp_mqtt_error_type_t error_type;
} esp_mqtt_error_codes_t;
typedef struct esp_mqtt_event_t {
  esp_mqtt_event_id_t event_id;
  esp_mqtt_client_handle_t client;
  char *data;
  int data_len;
  int total_data_len;
  int current_data_offset;
  char *topic;
  int topic_len;
  int msg_id;
  esp_mqtt_error_codes_t *error_handle;
} esp_mqtt_event_t;
/* Members left out: those that the sources do not set. */
typedef struct esp_mqtt_client_config_t {
  struct broker_t {
    struct address_t {
      const char *uri;
    } address;
    struct verification_t {
      const char *certificate;
    } verification;
  } broker;
  struct credentials_t {
    const char *client_id;
    struct authentication_t {
      const char *certificate;
      const char *key;
    } authentication;
  } credentials;
  struct session_t {
    bool disable_clean_session;
    int keepalive;
    esp_mqtt_protocol_ver_t protocol_ver;
  } session;
  struct network_t {
    int timeout_ms;
    bool disable_auto_reconnect;
  } network;
  struct task_t {
    int stack_size;
  } task;
  struct buffer_t {
    int size;
    int out_size;
  } buffer;
  struct outbox_config_t {
    uint64_t limit;
  } outbox;
} esp_mqtt_client_config_t;
esp_mqtt_client_handle_t esp_mqtt_client_init(const esp_mqtt_client_config_t *config);
esp_err_t esp_mqtt_client_register_event(esp_mqtt_client_handle_t client, esp_mqtt_event_id_t event, esp_event_handler_t event_handler,
                                         void *event_handler_arg);
esp_err_t esp_mqtt_client_start(esp_mqtt_client_handle_t client);
esp_err_t esp_mqtt_client_disconnect(esp_mqtt_client_handle_t client);
esp_err_t esp_mqtt_client_stop(esp_mqtt_client_handle_t client);
esp_err_t esp_mqtt_client_destroy(esp_mqtt_client_handle_t client);
int esp_mqtt_client_subscribe_single(esp_mqtt_client_handle_t client, const char *topic, int qos);
int esp_mqtt_client_enqueue(esp_mqtt_client_handle_t client, const char *topic, const char *data, int len, int qos, int retain, bool store);
