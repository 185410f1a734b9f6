#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "fake.h"

void fake_serve(struct fake *fake, enum fake_how how, uint32_t number) {
  CHECK(fake->answer_count < fake_answers);
  fake->answers[fake->answer_count++] = (struct fake_answer){how, number};
}

const uint8_t *fake_file(const struct fake *fake, uint32_t *bytes) {
  if (fake->sealed) {
    *bytes = fake->sealed_bytes;
    return fake->sealed;
  }
  *bytes = fake->getting_patch ? fake->patch_bytes : fake->image_bytes;
  return fake->getting_patch ? fake->patch : fake->image;
}

static int http_get(void *ctx, const char *url, uint32_t from, uint32_t to) {
  struct fake *fake = ctx;
  CHECK(!fake->getting && strncmp(url, "https://", 8) == 0 && !strchr(url, '#'));
  fake->requests++;
  fake->last_from = from;
  fake->last_ranged = to != 0;
  uint32_t range = to - from;
  if (to != 0 && range > fake->largest_range) fake->largest_range = range;
  if (to != 0 && (fake->smallest_range == 0 || range < fake->smallest_range)) fake->smallest_range = range;
  if (!fake->connection_open) fake->connections++;
  fake->connection_open = true;
  fake->answer = fake->answer_next < fake->answer_count ? fake->answers[fake->answer_next++] : fake->always;
  fake->url_refused = fake->good_url && strcmp(url, fake->good_url) != 0;
  fake->getting = true;
  fake->from = from;
  fake->body_at = to == 0 ? 0 : from;
  fake->getting_patch = strstr(url, "patch") != NULL;
  uint32_t bytes = 0;
  (void)fake_file(fake, &bytes);
  fake->body_end = to == 0 || to > bytes ? bytes : to;
  return fake->answer.how == SERVE_NO_CONNECTION ? OTA_ERR_NETWORK : OTA_OK;
}

static void field(struct ota_http_head *head, const char *name, const char *value) {
  ota_http_head_field(head, name, strlen(name), value, strlen(value));
}

static int http_head(void *ctx, struct ota_http_head *head) {
  struct fake *fake = ctx;
  char text[64];
  CHECK(fake->getting);
  enum fake_how how = fake->answer.how;
  if (how == SERVE_SILENT) return 0;
  bool whole = !fake->last_ranged || how == SERVE_WHOLE || how == SERVE_WHOLE_UNSIZED;
  int status = whole ? 200 : 206;
  if (fake->url_refused) status = 403;
  if (how == SERVE_STATUS) status = (int)fake->answer.number;
  ota_http_head_begin(head, status);
  if (status == 503) field(head, "Retry-After", "1");
  if (status != 200 && status != 206) return 1;
  if (whole) fake->body_at = 0;
  uint32_t bytes = 0;
  (void)fake_file(fake, &bytes);
  if (whole) fake->body_end = bytes;
  if (how == SERVE_SHORT) fake->body_end = fake->body_at + fake->answer.number;
  if (how == SERVE_GZIP) field(head, "content-encoding", "gzip");
  uint32_t first = fake->body_at + (how == SERVE_WRONG_RANGE ? 7 : 0);
  uint32_t total = bytes + (how == SERVE_WRONG_TOTAL ? 1 : 0);
  snprintf(text, sizeof text, "bytes %" PRIu32 "-%" PRIu32 "/%" PRIu32, first, fake->body_end - 1, total);
  if (status == 206 && how != SERVE_NO_RANGE) field(head, "Content-Range", text);
  snprintf(text, sizeof text, " %" PRIu32, whole ? total : fake->body_end - first);
  if (how != SERVE_WHOLE_UNSIZED) field(head, "CONTENT-LENGTH", text);
  fake->body_stop = fake->body_end;
  if (how == SERVE_OVERLONG) fake->body_stop += 1000;
  bool breaks = how == SERVE_CUT || how == SERVE_STALL || how == SERVE_TRUNCATED;
  if (breaks && fake->answer.number < fake->body_stop - fake->body_at)
    fake->body_stop = fake->body_at + fake->answer.number;
  return 1;
}

static int http_read(void *ctx, uint8_t *data, size_t capacity) {
  struct fake *fake = ctx;
  CHECK(fake->getting);
  uint32_t left = fake->body_stop - fake->body_at;
  if (left == 0) {
    if (fake->answer.how == SERVE_STALL) return 0;
    return fake->answer.how == SERVE_CUT ? OTA_ERR_NETWORK : OTA_ERR_ABSENT;
  }
  uint32_t bytes = left < fake->piece_bytes ? left : fake->piece_bytes;
  if (bytes > capacity) bytes = (uint32_t)capacity;
  fake->uptime += fake->ms_per_piece;
  uint32_t size = 0;
  const uint8_t *file = fake_file(fake, &size);
  fake->sent_bytes += bytes;
  if (fake->getting_patch) fake->patch_sent += bytes;
  for (uint32_t i = 0; i < bytes; i++) {
    uint32_t at = fake->body_at + i;
    data[i] = at < size ? file[at] : 0xee;
    if (fake->answer.how == SERVE_CORRUPT && at == size / 2) data[i] ^= 1;
  }
  fake->body_at += bytes;
  return (int)bytes;
}

static void http_end(void *ctx, bool keep) {
  struct fake *fake = ctx;
  fake->getting = false;
  if (!keep) fake->connection_open = false;
}

void fake_deliver(struct fake *fake, const char *topic, const char *payload) {
  struct fake_message *message = &fake->inbound[fake->inbound_to++ % fake_messages];
  CHECK(fake->inbound_to - fake->inbound_from < fake_messages && strlen(payload) < sizeof message->payload);
  snprintf(message->topic, sizeof message->topic, "%s", topic);
  snprintf(message->payload, sizeof message->payload, "%s", payload);
}

static void id_of(const char *payload, char *id) {
  CHECK(sscanf(payload, "{\"id\":\"%64[A-Za-z0-9_-]\"", id) == 1);
}

static int mqtt_publish(void *ctx, const char *topic, const char *payload, size_t bytes) {
  struct fake *fake = ctx;
  static char id[65];
  static char answer[512];
  CHECK(fake->connected);
  struct fake_message *message = &fake->sent[fake->sent_count % fake_messages];
  CHECK(bytes < sizeof message->payload);
  fake->sent_count++;
  snprintf(message->topic, sizeof message->topic, "%s", topic);
  memcpy(message->payload, payload, bytes);
  message->payload[bytes] = '\0';
  id_of(message->payload, id);
  bool renewal = strcmp(topic, "cert/renew/request") == 0;
  if (fake->acking && strstr(message->payload, "\"seq\":") && !renewal) {
    snprintf(answer, sizeof answer, "{\"ids\":[\"%s\"]}", id);
    fake_deliver(fake, "ack", answer);
  }
  int key = 0;
  const char *csr = strstr(message->payload, "CSR of key ");
  if (renewal && fake->answering_renewals && csr && sscanf(csr, "CSR of key %d", &key) == 1) {
    snprintf(answer, sizeof answer,
             "{\"id\":\"c\",\"at\":null,\"request\":\"%s\",\"certificate\":\"certificate of key %d\",\"chain\":\"chain\"}", id,
             key);
    fake_deliver(fake, "cert/renew/response", answer);
  }
  if (fake->fresh_request && strstr(message->payload, "\"urlExpired\":true"))
    fake_deliver(fake, "firmware/download/request", fake->fresh_request);
  if (fake->on_publish) fake->on_publish(fake, topic, message->payload);
  return OTA_OK;
}

static int mqtt_connect(void *ctx, enum ota_key_pair pair) {
  struct fake *fake = ctx;
  CHECK(!fake->connected);
  CHECK(pair == OTA_PAIR_CURRENT || fake->issued);
  fake->connected_key = pair == OTA_PAIR_NEW ? fake->pending_key : fake->key;
  bool welcome = !fake->broker_down && fake->connected_key != fake->refused_key;
  fake->pending_event = welcome ? OTA_MQTT_CONNECTED : OTA_MQTT_DISCONNECTED;
  return OTA_OK;
}

static void mqtt_disconnect(void *ctx) {
  struct fake *fake = ctx;
  fake->stale_disconnect = fake->connected && fake->late_disconnects;
  fake->pending_event = OTA_MQTT_NONE;
  fake->connected = false;
}

static int mqtt_poll(void *ctx, struct ota_mqtt_event *event, char *inbox, size_t capacity) {
  struct fake *fake = ctx;
  if (fake->stale_disconnect) {
    fake->stale_disconnect = false;
    *event = (struct ota_mqtt_event){.type = OTA_MQTT_DISCONNECTED, .reached = true};
    return OTA_OK;
  }
  event->type = fake->pending_event;
  fake->pending_event = OTA_MQTT_NONE;
  if (event->type == OTA_MQTT_CONNECTED) {
    fake->connected = true;
    fake->connects++;
  }
  if (event->type == OTA_MQTT_DISCONNECTED) {
    fake->connected = false;
    event->reached = !fake->broker_down;
  }
  if (event->type != OTA_MQTT_NONE || !fake->connected || fake->inbound_from == fake->inbound_to) return OTA_OK;
  const struct fake_message *message = &fake->inbound[fake->inbound_from++ % fake_messages];
  event->type = OTA_MQTT_MESSAGE;
  event->topic = message->topic;
  event->payload_bytes = strlen(message->payload);
  CHECK(event->payload_bytes <= capacity);
  memcpy(inbox, message->payload, event->payload_bytes);
  return OTA_OK;
}

void fake_fill_network(struct ota_port *port) {
  port->http_get = http_get;
  port->http_head = http_head;
  port->http_read = http_read;
  port->http_end = http_end;
  port->mqtt_connect = mqtt_connect;
  port->mqtt_disconnect = mqtt_disconnect;
  port->mqtt_publish = mqtt_publish;
  port->mqtt_poll = mqtt_poll;
}

unsigned fake_said(const struct fake *fake, const char *topic, const char *text) {
  unsigned count = 0;
  char id[65];
  char earlier[65];
  CHECK(fake->sent_count <= fake_messages);
  for (unsigned i = 0; i < fake->sent_count; i++) {
    if (strcmp(fake->sent[i].topic, topic) != 0 || !strstr(fake->sent[i].payload, text)) continue;
    bool copy = false;
    id_of(fake->sent[i].payload, id);
    for (unsigned k = 0; k < i && !copy; k++) {
      id_of(fake->sent[k].payload, earlier);
      copy = strcmp(id, earlier) == 0;
      // An id names one body for ever.
      CHECK(!copy || strcmp(fake->sent[i].payload, fake->sent[k].payload) == 0);
    }
    if (!copy) count++;
  }
  return count;
}

const struct fake_message *fake_last(const struct fake *fake, const char *topic) {
  for (unsigned i = fake->sent_count; i > 0; i--)
    if (strcmp(fake->sent[i - 1].topic, topic) == 0) return &fake->sent[i - 1];
  return NULL;
}
