#include "mqtt.h"

#include <stdio.h>
#include <string.h>

#include "buffers.h"
#include "ota_agent.h"

enum {
  EVENTS = 16,
  KEEPALIVE_S = 60,
  TIMEOUT_MS = 10000,
  BUFFER_BYTES = 4096,
  OUTBOX_BYTES = 32 * 1024,
  CLIENT_STACK_BYTES = 8192,
  KEEPER_STACK_BYTES = 4096,
  PRIORITY = 4,
};

/* A full queue is an agent that stands still: what does not fit is lost, as on a network. */
static void tell(struct mqtt *mqtt, struct mqtt_message *message) {
  message->connection = mqtt->connection;
  if (xQueueSend(mqtt->events, message, pdMS_TO_TICKS(1000)) != pdTRUE) heap_caps_free(message->payload);
  *message = (struct mqtt_message){0};
}

/* Each topic when the one before it is granted: the request topic, which the webhook waits for, is the agent's to place. */
static void subscribe_next(struct mqtt *mqtt) {
  const char *topic = ota_downlink_topics[mqtt->subscribed];
  if (!topic) {
    struct mqtt_message connected = {.type = OTA_MQTT_CONNECTED};
    tell(mqtt, &connected);
    return;
  }
  mqtt->subscribing = esp_mqtt_client_subscribe_single(mqtt->client, topic, 1);
  if (mqtt->subscribing < 0) (void)esp_mqtt_client_disconnect(mqtt->client);
}

static void on_suback(struct mqtt *mqtt, const esp_mqtt_event_t *event) {
  if (event->msg_id != mqtt->subscribing) return;
  /* MQTT 3.1.1, 3.9.3: 0x80 is a refusal. */
  const bool refused = event->data_len > 0 && (uint8_t)event->data[0] >= 0x80;
  if (refused) {
    (void)esp_mqtt_client_disconnect(mqtt->client);
    return;
  }
  mqtt->subscribed++;
  subscribe_next(mqtt);
}

/* A message larger than esp-mqtt's buffer comes in parts; the topic is with the first. */
static void on_data(struct mqtt *mqtt, const esp_mqtt_event_t *event) {
  struct mqtt_message *message = &mqtt->incoming;
  const size_t total = (size_t)event->total_data_len;
  if (event->current_data_offset == 0) {
    heap_caps_free(message->payload);
    *message = (struct mqtt_message){.type = OTA_MQTT_MESSAGE, .bytes = total};
    (void)snprintf(message->topic, sizeof message->topic, "%.*s", event->topic_len, event->topic);
    if (total > 0 && total <= MQTT_MESSAGE_BYTES) message->payload = memory_take(total);
  }
  const size_t end = (size_t)event->current_data_offset + (size_t)event->data_len;
  if (message->type != OTA_MQTT_MESSAGE || message->bytes != total || end > total) return;
  if (message->payload) memcpy(message->payload + event->current_data_offset, event->data, (size_t)event->data_len);
  if (end == total) tell(mqtt, message);
}

static void on_event(void *context, esp_event_base_t base, int32_t id, void *data) {
  (void)base;
  struct mqtt *mqtt = context;
  const esp_mqtt_event_t *event = data;
  if (id == MQTT_EVENT_CONNECTED) {
    mqtt->reached = true;
    mqtt->subscribed = 0;
    atomic_fetch_add(&mqtt->reconnects, 1);
    subscribe_next(mqtt);
  } else if (id == MQTT_EVENT_SUBSCRIBED) {
    on_suback(mqtt, event);
  } else if (id == MQTT_EVENT_DATA) {
    on_data(mqtt, event);
  } else if (id == MQTT_EVENT_ERROR && event->error_handle) {
    const esp_mqtt_error_codes_t *error = event->error_handle;
    if (error->error_type == MQTT_ERROR_TYPE_CONNECTION_REFUSED || error->esp_tls_stack_err != 0) mqtt->reached = true;
  } else if (id == MQTT_EVENT_DISCONNECTED) {
    struct mqtt_message gone = {.type = OTA_MQTT_DISCONNECTED, .reached = mqtt->reached};
    tell(mqtt, &gone);
  }
}

/* Waits for the client's task. */
static void close_client(struct mqtt *mqtt) {
  if (!mqtt->client) return;
  (void)esp_mqtt_client_stop(mqtt->client);
  (void)esp_mqtt_client_destroy(mqtt->client);
  mqtt->client = NULL;
  heap_caps_free(mqtt->incoming.payload);
  mqtt->incoming = (struct mqtt_message){0};
}

/* A client for each connection: the key pair cannot be changed in one, and when to try again is the agent's business. */
static bool open_client(struct mqtt *mqtt) {
  const esp_mqtt_client_config_t config = {
      .broker = {.address = {.uri = mqtt->settings->mqtt_url}, .verification = {.certificate = mqtt->settings->trust}},
      .credentials = {.client_id = mqtt->settings->id,
                      .authentication = {.certificate = mqtt->pair.certificates, .key = mqtt->pair.key}},
      .session = {.disable_clean_session = true, .keepalive = KEEPALIVE_S, .protocol_ver = MQTT_PROTOCOL_V_3_1_1},
      .network = {.disable_auto_reconnect = true, .timeout_ms = TIMEOUT_MS},
      .task = {.stack_size = CLIENT_STACK_BYTES},
      .buffer = {.size = BUFFER_BYTES, .out_size = BUFFER_BYTES},
      .outbox = {.limit = OUTBOX_BYTES},
  };
  mqtt->reached = false;
  mqtt->client = esp_mqtt_client_init(&config);
  return mqtt->client && esp_mqtt_client_register_event(mqtt->client, MQTT_EVENT_ANY, on_event, mqtt) == ESP_OK &&
         esp_mqtt_client_start(mqtt->client) == ESP_OK;
}

static bool is_connection(unsigned number) { return number % 2 == 1; }

static void keep_client(void *context) {
  struct mqtt *mqtt = context;
  for (;;) {
    const unsigned number = atomic_load(&mqtt->wanted);
    if (number == atomic_load(&mqtt->served)) {
      (void)ulTaskNotifyTake(pdTRUE, portMAX_DELAY);
      continue;
    }
    close_client(mqtt);
    mqtt->connection = number;
    if (is_connection(number) && !open_client(mqtt)) {
      close_client(mqtt);
      struct mqtt_message gone = {.type = OTA_MQTT_DISCONNECTED};
      tell(mqtt, &gone);
    }
    atomic_store(&mqtt->served, number);
  }
}

int flota_mqtt_start(struct mqtt *mqtt) {
  mqtt->events = xQueueCreate(EVENTS, sizeof(struct mqtt_message));
  if (!mqtt->events) return OTA_ERR_SPACE;
  const BaseType_t made = xTaskCreatePinnedToCore(keep_client, "flota_mqtt", KEEPER_STACK_BYTES, mqtt, PRIORITY, &mqtt->task, tskNO_AFFINITY);
  return made == pdPASS ? OTA_OK : OTA_ERR_SPACE;
}

static bool is_settled(struct mqtt *mqtt) { return atomic_load(&mqtt->wanted) == atomic_load(&mqtt->served); }

static void want(struct mqtt *mqtt, bool connection) {
  const unsigned number = atomic_load(&mqtt->wanted);
  atomic_store(&mqtt->wanted, (number | 1) + (connection ? 2 : 1));
  (void)xTaskNotifyGive(mqtt->task);
}

int flota_mqtt_connect(struct mqtt *mqtt, enum ota_key_pair pair) {
  /* A client that is there keeps pointers into the pair; it goes first. */
  if (is_settled(mqtt) && mqtt->client) want(mqtt, false);
  if (!is_settled(mqtt)) return OTA_ERR_BUSY;
  mqtt->pair = mqtt->identity->pairs[pair];
  want(mqtt, true);
  return OTA_OK;
}

void flota_mqtt_disconnect(struct mqtt *mqtt) {
  if (is_connection(atomic_load(&mqtt->wanted))) want(mqtt, false);
}

void flota_mqtt_close(struct mqtt *mqtt, uint32_t timeout_ms) {
  flota_mqtt_disconnect(mqtt);
  const TickType_t step = pdMS_TO_TICKS(20) > 0 ? pdMS_TO_TICKS(20) : 1;
  for (uint32_t waited_ms = 0; !is_settled(mqtt) && waited_ms < timeout_ms; waited_ms += 20) vTaskDelay(step);
}

/* enqueue takes a copy and does not wait for the network; -2 is a full outbox. */
int flota_mqtt_publish(struct mqtt *mqtt, const char *topic, const char *payload, size_t bytes) {
  if (!is_settled(mqtt) || !mqtt->client) return OTA_ERR_NETWORK;
  const int id = esp_mqtt_client_enqueue(mqtt->client, topic, payload, (int)bytes, 1, 0, true);
  if (id >= 0) return OTA_OK;
  return id == -2 ? OTA_ERR_BUSY : OTA_ERR_NETWORK;
}

int flota_mqtt_poll(struct mqtt *mqtt, struct ota_mqtt_event *event, char *inbox, size_t capacity) {
  struct mqtt_message message;
  *event = (struct ota_mqtt_event){.type = OTA_MQTT_NONE};
  if (xQueueReceive(mqtt->events, &message, 0) != pdTRUE) return OTA_OK;
  if (message.connection != atomic_load(&mqtt->wanted)) {
    heap_caps_free(message.payload);
    return OTA_OK;
  }
  memcpy(mqtt->topic, message.topic, sizeof mqtt->topic);
  event->type = message.type;
  event->reached = message.reached;
  event->topic = mqtt->topic;
  event->payload_bytes = message.bytes;
  if (message.payload && message.bytes <= capacity) memcpy(inbox, message.payload, message.bytes);
  else if (message.bytes > 0) event->payload_bytes = capacity + 1;
  heap_caps_free(message.payload);
  /* Closed at once, so that the next connection finds it gone. */
  if (message.type == OTA_MQTT_DISCONNECTED) flota_mqtt_disconnect(mqtt);
  return OTA_OK;
}
