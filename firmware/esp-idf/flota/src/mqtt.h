/*
 * MQTT 3.1.1 over mTLS by esp-mqtt, as the port's mqtt_… callbacks, none of which waits. Starting and stopping a client may take
 * seconds, so a task of its own does that; what the clients have to tell goes to the agent through a queue.
 */
#ifndef MQTT_H
#define MQTT_H

#include <stdatomic.h>

#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "freertos/task.h"
#include "identity.h"
#include "mqtt_client.h"
#include "ota_port.h"
#include "settings.h"

enum { MQTT_TOPIC_BYTES = 64, MQTT_MESSAGE_BYTES = 8192 };

/* One event on its way to the agent; a payload is allocated and freed by mqtt_poll. */
struct mqtt_message {
  enum ota_mqtt_event_type type;
  unsigned connection; /* of an earlier one: dropped */
  bool reached;
  char topic[MQTT_TOPIC_BYTES];
  char *payload;
  size_t bytes; /* more than MQTT_MESSAGE_BYTES: dropped, payload is NULL */
};

struct mqtt {
  const struct settings *settings;
  const struct identity *identity;
  QueueHandle_t events;
  TaskHandle_t task;
  char topic[MQTT_TOPIC_BYTES];
  /* What is wanted is numbered, twice its number, and one more when that is a connection. `client`, `pair` and the rest below belong to
   * what is served: the agent touches them only when that is what it wants, the task only when it is not. */
  atomic_uint wanted, served;
  struct identity_pair pair;
  esp_mqtt_client_handle_t client;
  /* Of the client's own task. */
  struct mqtt_message incoming;
  unsigned connection;
  unsigned subscribed;
  int subscribing;
  bool reached;
  atomic_uint reconnects;
};

/* 0 or OTA_ERR_SPACE. */
int flota_mqtt_start(struct mqtt *mqtt);
/* OTA_ERR_BUSY while the connection of before is still being closed. */
int flota_mqtt_connect(struct mqtt *mqtt, enum ota_key_pair pair);
void flota_mqtt_disconnect(struct mqtt *mqtt);
int flota_mqtt_publish(struct mqtt *mqtt, const char *topic, const char *payload, size_t bytes);
int flota_mqtt_poll(struct mqtt *mqtt, struct ota_mqtt_event *event, char *inbox, size_t capacity);
/* Before a restart: disconnects and waits until the broker has been told, at most timeout_ms. */
void flota_mqtt_close(struct mqtt *mqtt, uint32_t timeout_ms);

#endif
