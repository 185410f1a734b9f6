/* MQTT 3.1.1 over mTLS by esp-mqtt, as the port's mqtt_… callbacks. esp-mqtt's task tells the agent's through a queue. */
#ifndef MQTT_H
#define MQTT_H

#include <stdatomic.h>

#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "identity.h"
#include "mqtt_client.h"
#include "ota_port.h"
#include "settings.h"

enum { MQTT_TOPIC_BYTES = 64, MQTT_MESSAGE_BYTES = 8192 };

/* One event on its way to the agent; a payload is allocated in PSRAM and freed by mqtt_poll. */
struct mqtt_message {
  enum ota_mqtt_event_type type;
  bool reached;
  char topic[MQTT_TOPIC_BYTES];
  char *payload;
  size_t bytes; /* more than MQTT_MESSAGE_BYTES: dropped, payload is NULL */
};

struct mqtt {
  const struct settings *settings;
  const struct identity *identity;
  esp_mqtt_client_handle_t client;
  QueueHandle_t events;
  char topic[MQTT_TOPIC_BYTES];
  /* Of esp-mqtt's task. */
  struct mqtt_message incoming;
  unsigned subscribed;
  int subscribing;
  bool reached;
  atomic_uint reconnects;
};

/* 0 or OTA_ERR_SPACE. */
int mqtt_start(struct mqtt *mqtt);
int mqtt_connect(struct mqtt *mqtt, enum ota_key_pair pair);
void mqtt_disconnect(struct mqtt *mqtt);
int mqtt_publish(struct mqtt *mqtt, const char *topic, const char *payload, size_t bytes);
int mqtt_poll(struct mqtt *mqtt, struct ota_mqtt_event *event, char *inbox, size_t capacity);

#endif
