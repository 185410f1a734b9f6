/**
 * MQTT 3.1.1 (OASIS standard), as much as a device of Flota needs: QoS 1 both ways, a session that stays. lwIP's own client
 * always begins a clean session.
 */
#include <stdlib.h>
#include <string.h>

#include "connection.h"

enum { out_bytes = 32 * 1024, in_bytes = 12 * 1024, inflight_max = 16, topic_max = 64 };
/** 2.2.1 and 2.2.2: type and flags. */
enum packet {
  CONNECT = 0x10,
  CONNACK = 0x20,
  PUBLISH = 0x30,
  PUBLISH_QOS1 = 0x32,
  PUBACK = 0x40,
  SUBSCRIBE = 0x82,
  SUBACK = 0x90,
  PINGREQ = 0xC0,
  PINGRESP = 0xD0,
  DISCONNECT = 0xE0,
};

struct host_mqtt {
  struct connection connection;
  bool greeted, broken;
  /** Which SUBSCRIBE is waited for: 1 for all topics but the last, 2 for that one, 3 for none. */
  uint16_t subscribing;
  uint16_t last_id;
  int inflight;
  uint64_t sent_at, pinged_at;
  char topic[topic_max];
  uint8_t out[out_bytes];
  size_t out_end;
  uint8_t in[in_bytes];
  size_t in_end;
  /** Bytes of a packet that is larger than any of the protocol's: they are passed over. */
  size_t unwanted;
};

static void put_u16(uint8_t **at, size_t value) {
  *(*at)++ = (uint8_t)(value >> 8);
  *(*at)++ = (uint8_t)value;
}

static void put_text(uint8_t **at, const char *text) {
  size_t bytes = strlen(text);
  put_u16(at, bytes);
  memcpy(*at, text, bytes);
  *at += bytes;
}

/** The fixed header (2.2) of a packet whose rest has so many bytes; null when there is no room. */
static uint8_t *begin_packet(struct host_mqtt *mqtt, enum packet type, size_t rest) {
  if (mqtt->out_end + rest + 5 > out_bytes) return NULL;
  uint8_t *at = mqtt->out + mqtt->out_end;
  *at++ = (uint8_t)type;
  for (size_t left = rest;; left >>= 7) {
    *at++ = (uint8_t)(left < 128 ? left : (left & 127) | 128);
    if (left < 128) break;
  }
  mqtt->out_end = (size_t)(at - mqtt->out) + rest;
  return at;
}

static void flush(struct host_mqtt *mqtt) {
  while (mqtt->out_end > 0) {
    int bytes = connection_write(&mqtt->connection, mqtt->out, mqtt->out_end);
    if (bytes < 0) mqtt->broken = true;
    if (bytes <= 0) return;
    mqtt->out_end -= (size_t)bytes;
    memmove(mqtt->out, mqtt->out + bytes, mqtt->out_end);
    mqtt->sent_at = host_monotonic_ms();
  }
}

static void send_connect(struct host *host) {
  struct host_mqtt *mqtt = host->mqtt;
  const char *id = host->options.id;
  uint8_t *at = begin_packet(mqtt, CONNECT, 12 + strlen(id));
  if (!at) return;
  put_text(&at, "MQTT");
  *at++ = 4;
  *at++ = 0;
  put_u16(&at, host->options.keepalive_ms < 5000 ? 5 : host->options.keepalive_ms / 1000);
  put_text(&at, id);
}

/** All topics but the last, which is what the webhook waits for; then that one. */
static void send_subscribe(struct host_mqtt *mqtt) {
  size_t count = 0;
  size_t rest = 2;
  while (ota_downlink_topics[count + 1]) count++;
  size_t first = mqtt->subscribing == 1 ? 0 : count;
  size_t end = mqtt->subscribing == 1 ? count : count + 1;
  for (size_t i = first; i < end; i++) rest += 3 + strlen(ota_downlink_topics[i]);
  uint8_t *at = begin_packet(mqtt, SUBSCRIBE, rest);
  if (!at) return;
  put_u16(&at, mqtt->subscribing);
  for (size_t i = first; i < end; i++) {
    put_text(&at, ota_downlink_topics[i]);
    *at++ = 1;
  }
}

static void take_suback(struct host_mqtt *mqtt, const uint8_t *rest, size_t bytes, struct ota_mqtt_event *event) {
  bool granted = bytes > 2 && mqtt->subscribing < 3 && (rest[0] << 8 | rest[1]) == mqtt->subscribing;
  for (size_t i = 2; i < bytes; i++) granted = granted && rest[i] <= 2;
  mqtt->broken = !granted;
  if (!granted) return;
  mqtt->subscribing++;
  if (mqtt->subscribing == 2) send_subscribe(mqtt);
  else event->type = OTA_MQTT_CONNECTED;
}

static void take_publish(struct host_mqtt *mqtt, uint8_t flags, const uint8_t *rest, size_t bytes,
                         struct ota_mqtt_event *event, char *inbox, size_t capacity) {
  unsigned qos = flags >> 1 & 3;
  size_t topic = bytes >= 2 ? (size_t)(rest[0] << 8 | rest[1]) : 0;
  size_t head = 2 + topic + (qos > 0 ? 2 : 0);
  if (bytes < head || head > in_bytes / 2 || qos > 1) {
    mqtt->broken = true;
    return;
  }
  if (topic < sizeof mqtt->topic) {
    memcpy(mqtt->topic, rest + 2, topic);
    mqtt->topic[topic] = '\0';
    event->type = OTA_MQTT_MESSAGE;
    event->topic = mqtt->topic;
    event->payload_bytes = bytes - head;
    if (event->payload_bytes <= capacity) memcpy(inbox, rest + head, event->payload_bytes);
  }
  if (qos == 0) return;
  uint8_t *at = begin_packet(mqtt, PUBACK, 2);
  if (at) memcpy(at, rest + 2 + topic, 2);
  else mqtt->broken = true;
}

static void take_packet(struct host_mqtt *mqtt, uint8_t type, const uint8_t *rest, size_t bytes,
                        struct ota_mqtt_event *event, char *inbox, size_t capacity) {
  switch (type & 0xF0) {
    case CONNACK:
      mqtt->broken = bytes != 2 || rest[1] != 0 || mqtt->subscribing != 0;
      mqtt->subscribing = 1;
      if (!mqtt->broken) send_subscribe(mqtt);
      break;
    case SUBACK: take_suback(mqtt, rest, bytes, event); break;
    case PUBLISH: take_publish(mqtt, type, rest, bytes, event, inbox, capacity); break;
    case PUBACK: mqtt->inflight--; break;
    case PINGRESP: mqtt->pinged_at = 0; break;
    default: mqtt->broken = true;
  }
}

/** Takes one packet from what has come. False when it is not whole yet. */
static bool parse(struct host_mqtt *mqtt, struct ota_mqtt_event *event, char *inbox, size_t capacity) {
  size_t rest = 0;
  size_t head = 1;
  for (unsigned shift = 0;; shift += 7) {
    if (head >= mqtt->in_end) return false;
    uint8_t digit = mqtt->in[head++];
    rest |= (size_t)(digit & 127) << shift;
    if (digit < 128) break;
    if (shift < 21) continue;
    mqtt->broken = true;
    return false;
    if (mqtt->broken) return false;
  }
  size_t here = head + rest < in_bytes ? head + rest : in_bytes;
  if (here > mqtt->in_end) return false;
  // Of one that is too large, topic and id are here, and its payload is larger than the inbox.
  take_packet(mqtt, mqtt->in[0], mqtt->in + head, rest, event, inbox, capacity);
  mqtt->unwanted = head + rest - here;
  mqtt->in_end -= here;
  memmove(mqtt->in, mqtt->in + here, mqtt->in_end);
  return true;
}

static void take_bytes(struct host_mqtt *mqtt, size_t bytes) {
  size_t unwanted = mqtt->unwanted < bytes ? mqtt->unwanted : bytes;
  uint8_t *at = mqtt->in + mqtt->in_end;
  memmove(at, at + unwanted, bytes - unwanted);
  mqtt->unwanted -= unwanted;
  mqtt->in_end += bytes - unwanted;
}

static void keep_alive(struct host *host) {
  struct host_mqtt *mqtt = host->mqtt;
  uint64_t now = host_monotonic_ms();
  uint32_t half_ms = host->options.keepalive_ms / 2;
  if (mqtt->pinged_at > 0) {
    if (now - mqtt->pinged_at >= half_ms) mqtt->broken = true;
  } else if (mqtt->subscribing == 3 && now - mqtt->sent_at >= half_ms && begin_packet(mqtt, PINGREQ, 0)) {
    mqtt->pinged_at = now;
  }
}

static int mqtt_poll(void *ctx, struct ota_mqtt_event *event, char *inbox, size_t capacity) {
  struct host *host = ctx;
  struct host_mqtt *mqtt = host->mqtt;
  event->type = OTA_MQTT_NONE;
  if (mqtt->connection.state == CONNECTION_NONE) return OTA_OK;
  enum connection_state state = connection_poll(&mqtt->connection);
  if (state == CONNECTION_OPEN) {
    if (!mqtt->greeted) send_connect(host);
    mqtt->greeted = true;
    flush(mqtt);
    while (event->type == OTA_MQTT_NONE && !mqtt->broken && parse(mqtt, event, inbox, capacity)) {
    }
    if (event->type == OTA_MQTT_NONE && mqtt->in_end < in_bytes) {
      int bytes = connection_read(&mqtt->connection, mqtt->in + mqtt->in_end, in_bytes - mqtt->in_end);
      if (bytes > 0) take_bytes(mqtt, (size_t)bytes);
      if (bytes > 0) (void)parse(mqtt, event, inbox, capacity);
      if (bytes < 0) mqtt->broken = true;
    }
    keep_alive(host);
    flush(mqtt);
  }
  if (event->type == OTA_MQTT_NONE && (mqtt->broken || state == CONNECTION_BROKEN)) {
    event->type = OTA_MQTT_DISCONNECTED;
    event->reached = mqtt->connection.heard;
    connection_end(&mqtt->connection);
  }
  return OTA_OK;
}

static int mqtt_connect(void *ctx, enum ota_key_pair pair) {
  struct host *host = ctx;
  const struct host_options *options = &host->options;
  struct host_mqtt *mqtt = host->mqtt;
  char identity[host_path_max];
  connection_end(&mqtt->connection);
  memset(mqtt, 0, sizeof *mqtt);
  host_path(host, pair == OTA_PAIR_NEW ? host_renewal_file : host_identity_file, identity);
  host->reconnects++;
  return connection_begin(&mqtt->connection, options->mqtt_host, (uint16_t)options->mqtt_port, options->trust, identity,
                          false);
}

static void mqtt_disconnect(void *ctx) {
  struct host_mqtt *mqtt = ((struct host *)ctx)->mqtt;
  if (mqtt->greeted && begin_packet(mqtt, DISCONNECT, 0)) flush(mqtt);
  connection_end(&mqtt->connection);
}

static int mqtt_publish(void *ctx, const char *topic, const char *payload, size_t bytes) {
  struct host_mqtt *mqtt = ((struct host *)ctx)->mqtt;
  if (mqtt->connection.state != CONNECTION_OPEN || mqtt->broken) return OTA_ERR_NETWORK;
  if (mqtt->inflight >= inflight_max) return OTA_ERR_BUSY;
  uint8_t *at = begin_packet(mqtt, PUBLISH_QOS1, 4 + strlen(topic) + bytes);
  if (!at) return OTA_ERR_BUSY;
  put_text(&at, topic);
  mqtt->last_id = mqtt->last_id == UINT16_MAX ? 1 : mqtt->last_id + 1;
  put_u16(&at, mqtt->last_id);
  memcpy(at, payload, bytes);
  mqtt->inflight++;
  flush(mqtt);
  return OTA_OK;
}

int host_mqtt_open(struct host *host) {
  host->mqtt = calloc(1, sizeof *host->mqtt);
  return host->mqtt ? OTA_OK : OTA_ERR_NETWORK;
}

void host_mqtt_close(struct host *host) {
  mqtt_disconnect(host);
  free(host->mqtt);
  host->mqtt = NULL;
}

void host_fill_mqtt(struct ota_port *port) {
  port->mqtt_connect = mqtt_connect;
  port->mqtt_disconnect = mqtt_disconnect;
  port->mqtt_publish = mqtt_publish;
  port->mqtt_poll = mqtt_poll;
}
