/** libmosquitto without threads: each connection is a new client, so that each may use another key pair. */
#include <mosquitto.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt.h"
#include "mqtt5.h"

enum { topics_max = 8, inflight_max = 64, topic_max = 64, first_failure = 0x80 };

struct message {
  struct message *next;
  size_t bytes;
  char topic[topic_max];
  char trace[host_trace_max + 1];
  char payload[];
};

struct host_mqtt {
  struct mosquitto *client;
  struct message *first, *last;
  char topic[topic_max];
  /** Message ids of the two subscriptions that are waited for. */
  int others_id, request_id;
  int inflight;
  bool connected, refused, reached, broken;
  struct host_traces traces;
};

static void drop_messages(struct host_mqtt *mqtt) {
  while (mqtt->first) {
    struct message *next = mqtt->first->next;
    free(mqtt->first);
    mqtt->first = next;
  }
  mqtt->last = NULL;
}

static void on_connect(struct mosquitto *client, void *ctx, int code, int flags, const mosquitto_property *properties) {
  struct host *host = ctx;
  struct host_mqtt *mqtt = host->mqtt;
  char *topics[topics_max];
  int count = 0;
  (void)flags;
  if (code != 0) {
    mqtt->refused = true;
    host_mqtt5_refused(host, "refused the connection", code, properties);
    return;
  }
  // All but the last, which is what the webhook waits for.
  while (ota_downlink_topics[count + 1]) {
    topics[count] = (char *)ota_downlink_topics[count];  // NOLINT: the library does not write to them
    count++;
  }
  if (mosquitto_subscribe_multiple(client, &mqtt->others_id, count, topics, 1, 0, NULL) != MOSQ_ERR_SUCCESS)
    mqtt->broken = true;
}

static void on_subscribe(struct mosquitto *client, void *ctx, int id, int count, const int *granted,
                         const mosquitto_property *properties) {
  struct host *host = ctx;
  struct host_mqtt *mqtt = host->mqtt;
  for (int i = 0; i < count; i++) {
    if (granted[i] <= 2) continue;
    mqtt->broken = true;
    host_mqtt5_refused(host, "refused a subscription", granted[i], properties);
  }
  if (mqtt->broken) return;
  if (id == mqtt->others_id) {
    int last = 0;
    while (ota_downlink_topics[last + 1]) last++;
    if (mosquitto_subscribe(client, &mqtt->request_id, ota_downlink_topics[last], 1) != MOSQ_ERR_SUCCESS)
      mqtt->broken = true;
  } else if (id == mqtt->request_id) {
    mqtt->connected = true;
  }
}

static void on_publish(struct mosquitto *client, void *ctx, int id, int code, const mosquitto_property *properties) {
  struct host *host = ctx;
  (void)client;
  (void)id;
  host->mqtt->inflight--;
  if (code >= first_failure) host_mqtt5_refused(host, "refused a message", code, properties);
}

/** Also when the connection broke: the library's own errors are below the broker's reasons. */
static void on_disconnect(struct mosquitto *client, void *ctx, int code, const mosquitto_property *properties) {
  (void)client;
  ((struct host *)ctx)->mqtt->broken = true;
  if (code >= first_failure) host_mqtt5_refused(ctx, "ended the connection", code, properties);
}

static void on_message(struct mosquitto *client, void *ctx, const struct mosquitto_message *received,
                       const mosquitto_property *properties) {
  struct host_mqtt *mqtt = ((struct host *)ctx)->mqtt;
  size_t bytes = (size_t)received->payloadlen;
  (void)client;
  if (strlen(received->topic) >= topic_max) return;
  struct message *message = malloc(sizeof *message + bytes);
  if (!message) return;
  message->next = NULL;
  message->bytes = bytes;
  (void)snprintf(message->topic, sizeof message->topic, "%s", received->topic);
  host_mqtt5_trace(properties, message->trace);
  if (bytes > 0) memcpy(message->payload, received->payload, bytes);
  if (mqtt->last) mqtt->last->next = message;
  else mqtt->first = message;
  mqtt->last = message;
}

static void close_client(struct host_mqtt *mqtt) {
  if (mqtt->client) mosquitto_destroy(mqtt->client);
  mqtt->client = NULL;
  drop_messages(mqtt);
}

static int mqtt_connect(void *ctx, enum ota_key_pair pair) {
  struct host *host = ctx;
  const struct host_options *options = &host->options;
  struct host_mqtt *mqtt = host->mqtt;
  char identity[host_path_max];
  close_client(mqtt);
  *mqtt = (struct host_mqtt){.others_id = -1, .request_id = -1, .traces = mqtt->traces};
  host_path(host, pair == OTA_PAIR_NEW ? host_renewal_file : host_identity_file, identity);
  mqtt->client = mosquitto_new(options->id, false, host);
  if (!mqtt->client) return OTA_ERR_NETWORK;
  // The library calls these for 3.1.1 as well, without properties.
  mosquitto_connect_v5_callback_set(mqtt->client, on_connect);
  mosquitto_subscribe_v5_callback_set(mqtt->client, on_subscribe);
  mosquitto_publish_v5_callback_set(mqtt->client, on_publish);
  mosquitto_disconnect_v5_callback_set(mqtt->client, on_disconnect);
  mosquitto_message_v5_callback_set(mqtt->client, on_message);
  int keepalive = (int)(options->keepalive_ms / 1000);
  if ((options->mqtt5 && host_mqtt5_begin(mqtt->client) != MOSQ_ERR_SUCCESS) ||
      mosquitto_tls_set(mqtt->client, options->trust, NULL, identity, identity, NULL) != MOSQ_ERR_SUCCESS ||
      mosquitto_connect_async(mqtt->client, options->mqtt_host, options->mqtt_port, keepalive < 5 ? 5 : keepalive) !=
          MOSQ_ERR_SUCCESS) {
    close_client(mqtt);
    return OTA_ERR_NETWORK;
  }
  host->reconnects++;
  return OTA_OK;
}

static void mqtt_disconnect(void *ctx) {
  struct host_mqtt *mqtt = ((struct host *)ctx)->mqtt;
  if (!mqtt->client) return;
  (void)mosquitto_disconnect(mqtt->client);
  (void)mosquitto_loop(mqtt->client, 0, 1);
  close_client(mqtt);
}

static int mqtt_publish(void *ctx, const char *topic, const char *payload, size_t bytes) {
  struct host_mqtt *mqtt = ((struct host *)ctx)->mqtt;
  if (!mqtt->client) return OTA_ERR_NETWORK;
  if (mqtt->inflight >= inflight_max) return OTA_ERR_BUSY;
  mosquitto_property *properties = host_mqtt5_answer(&mqtt->traces, topic);
  int error = mosquitto_publish_v5(mqtt->client, NULL, topic, (int)bytes, payload, 1, false, properties);
  mosquitto_property_free_all(&properties);
  if (error != MOSQ_ERR_SUCCESS) return OTA_ERR_NETWORK;
  mqtt->inflight++;
  return OTA_OK;
}

/** libmosquitto does not notice that a TCP connection was refused before its TLS handshake: it writes to it for ever. */
static bool is_hung_up(const struct host_mqtt *mqtt) {
  struct pollfd socket = {.fd = mosquitto_socket(mqtt->client)};
  return !mqtt->reached && socket.fd >= 0 && poll(&socket, 1, 0) > 0 && (socket.revents & (POLLHUP | POLLERR)) != 0;
}

static int mqtt_poll(void *ctx, struct ota_mqtt_event *event, char *inbox, size_t capacity) {
  struct host *host = ctx;
  struct host_mqtt *mqtt = host->mqtt;
  event->type = OTA_MQTT_NONE;
  if (!mqtt->client) return OTA_OK;
  struct message *message = mqtt->first;
  if (message) {
    event->type = OTA_MQTT_MESSAGE;
    memcpy(mqtt->topic, message->topic, sizeof mqtt->topic);
    host_mqtt5_follow(host, &mqtt->traces, message->topic, message->trace);
    event->topic = mqtt->topic;
    event->payload_bytes = message->bytes;
    if (message->bytes <= capacity) memcpy(inbox, message->payload, message->bytes);
    mqtt->first = message->next;
    if (!mqtt->first) mqtt->last = NULL;
    free(message);
    return OTA_OK;
  }
  bool was_connected = mqtt->connected;
  int error = mosquitto_loop(mqtt->client, 0, 16);
  const SSL *tls = mosquitto_ssl_get(mqtt->client);
  if (tls && SSL_is_init_finished(tls)) mqtt->reached = true;
  if (error != MOSQ_ERR_SUCCESS || mqtt->refused || mqtt->broken || is_hung_up(mqtt)) {
    event->type = OTA_MQTT_DISCONNECTED;
    event->reached = mqtt->reached || mqtt->refused || error == MOSQ_ERR_TLS;
    close_client(mqtt);
  } else if (mqtt->connected && !was_connected) {
    event->type = OTA_MQTT_CONNECTED;
  }
  return OTA_OK;
}

int host_mqtt_open(struct host *host) {
  host->mqtt = calloc(1, sizeof *host->mqtt);
  return host->mqtt && mosquitto_lib_init() == MOSQ_ERR_SUCCESS ? OTA_OK : OTA_ERR_NETWORK;
}

void host_mqtt_close(struct host *host) {
  mqtt_disconnect(host);
  free(host->mqtt);
  host->mqtt = NULL;
  mosquitto_lib_cleanup();
}

int host_mqtt_socket(const struct host *host, bool *wants_write) {
  struct mosquitto *client = host->mqtt->client;
  *wants_write = client && mosquitto_want_write(client);
  return client ? mosquitto_socket(client) : -1;
}

void host_fill_mqtt(struct ota_port *port) {
  port->mqtt_connect = mqtt_connect;
  port->mqtt_disconnect = mqtt_disconnect;
  port->mqtt_publish = mqtt_publish;
  port->mqtt_poll = mqtt_poll;
}
