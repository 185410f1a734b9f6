#include "ota_journal.h"

#include <string.h>

#include "ota_pace.h"

const char *const ota_uplink_topics[OTA_UPLINKS] = {
    "firmware/download/request/ack",
    "firmware/download/result",
    "firmware/download/cancel/ack",
    "status/health",
    "control/response",
    "cert/renew/request",
    "firmware/download/progress",
    "log",
};

/* Stored: format (1 byte), bytes of all messages (4), the messages, the state. A message: bytes of its payload (2), topic
 * (1), bytes of its id (1), id, payload. Numbers are little-endian. */
enum { format = 1, header_bytes = 5, message_header_bytes = 4 };

static size_t payload_bytes(const uint8_t *message) { return (size_t)message[0] | (size_t)message[1] << 8; }

static size_t message_bytes(const uint8_t *message) { return message_header_bytes + message[3] + payload_bytes(message); }

static bool has_id(const uint8_t *message, const char *id) {
  return strlen(id) == message[3] && memcmp(message + message_header_bytes, id, message[3]) == 0;
}

/** Counts the messages; false when they are not what this file writes. */
static bool walk(struct ota_journal *journal) {
  size_t at = header_bytes;
  journal->count = 0;
  while (at < journal->used) {
    const uint8_t *message = journal->data + at;
    if (journal->used - at < message_header_bytes || journal->used - at < message_bytes(message)) return false;
    if (message[2] >= OTA_UPLINKS || journal->count == OTA_OUTBOX_MESSAGES) return false;
    at += message_bytes(message);
    journal->count++;
  }
  return true;
}

int ota_journal_load(struct ota_journal *journal, const struct ota_port *port, uint8_t *data, size_t capacity) {
  memset(journal, 0, sizeof *journal);
  journal->port = port;
  journal->data = data;
  journal->capacity = capacity;
  int bytes = port->store_read(port->ctx, OTA_STORE_JOURNAL, data, capacity);
  if (bytes < 0 && bytes != OTA_ERR_ABSENT && bytes != OTA_ERR_SPACE) return OTA_ERR_STORAGE;
  if (bytes >= header_bytes && data[0] == format) {
    uint32_t messages = data[1] | (uint32_t)data[2] << 8 | (uint32_t)data[3] << 16 | (uint32_t)data[4] << 24;
    if (messages <= (uint32_t)bytes - header_bytes) {
      journal->used = header_bytes + messages;
      size_t state = (size_t)bytes - journal->used;
      if (walk(journal) && ota_state_decode(&journal->state, data + journal->used, state) == OTA_OK) return OTA_OK;
    }
  }
  if (bytes != OTA_ERR_ABSENT) port->log(port->ctx, OTA_LOG_ERROR, "the journal is unreadable, starting an empty one");
  memset(&journal->state, 0, sizeof journal->state);
  journal->state.next_reason = OTA_BOOT_UNKNOWN;
  journal->used = header_bytes;
  journal->count = 0;
  return OTA_OK;
}

int ota_journal_store(struct ota_journal *journal) {
  uint8_t *data = journal->data;
  size_t messages = journal->used - header_bytes;
  data[0] = format;
  for (unsigned i = 0; i < 4; i++) data[1 + i] = (uint8_t)(messages >> (8 * i));
  int state = ota_state_encode(&journal->state, data + journal->used, journal->capacity - journal->used);
  if (state < 0) return state;
  const struct ota_port *port = journal->port;
  return port->store_write(port->ctx, OTA_STORE_JOURNAL, data, journal->used + (size_t)state);
}

static void remove_message(struct ota_journal *journal, size_t at, uint32_t index) {
  size_t bytes = message_bytes(journal->data + at);
  memmove(journal->data + at, journal->data + at + bytes, journal->used - at - bytes);
  journal->used -= bytes;
  journal->count--;
  memmove(&journal->sending[index], &journal->sending[index + 1],
          (journal->count - index) * sizeof journal->sending[0]);
}

/** Deployments wait for results, so these go last. */
static void drop_oldest(struct ota_journal *journal) {
  size_t at = header_bytes;
  for (uint32_t i = 0; i < journal->count; i++) {
    if (journal->data[at + 2] != OTA_UP_RESULT) {
      remove_message(journal, at, i);
      return;
    }
    at += message_bytes(journal->data + at);
  }
  remove_message(journal, header_bytes, 0);
}

struct ota_text *ota_journal_begin(struct ota_journal *journal, enum ota_uplink topic, const char *id) {
  const struct ota_port *port = journal->port;
  char random[OTA_RANDOM_ID_CHARS + 1];
  if (!id) {
    (void)ota_random_id(port, random);
    id = random;
  }
  size_t room = journal->capacity - OTA_STATE_BYTES;
  while (journal->count > 0 &&
         (journal->count == OTA_OUTBOX_MESSAGES || room - journal->used < OTA_OUTBOX_MESSAGE_MAX))
    drop_oldest(journal);
  uint8_t *message = journal->data + journal->used;
  size_t id_bytes = strlen(id);
  message[2] = (uint8_t)topic;
  message[3] = (uint8_t)id_bytes;
  // Its length stands before it.
  memcpy(message + message_header_bytes, id, id_bytes);  // NOLINT(bugprone-not-null-terminated-result)
  size_t before = message_header_bytes + id_bytes;
  struct ota_text *text = &journal->text;
  ota_text_begin(text, (char *)message + before, OTA_OUTBOX_MESSAGE_MAX - before);
  ota_text_raw(text, "{\"id\":");
  ota_text_string(text, id);
  ota_text_raw(text, ",\"at\":");
  ota_text_time(text, port->unix_ms(port->ctx));
  ota_text_raw(text, ",\"seq\":[");
  ota_text_number(text, journal->state.boot_count);
  ota_text_raw(text, ",");
  ota_text_number(text, journal->number++);
  ota_text_raw(text, "]");
  return text;
}

int ota_journal_end(struct ota_journal *journal) {
  ota_text_raw(&journal->text, "}");
  int bytes = ota_text_end(&journal->text);
  if (bytes < 0) return bytes;
  uint8_t *message = journal->data + journal->used;
  message[0] = (uint8_t)bytes;
  message[1] = (uint8_t)(bytes >> 8);
  journal->sending[journal->count] = (struct ota_sending){0};
  journal->count++;
  journal->used += message_bytes(message);
  return OTA_OK;
}

bool ota_journal_forget(struct ota_journal *journal, const char *id) {
  size_t at = header_bytes;
  for (uint32_t i = 0; i < journal->count; i++) {
    if (has_id(journal->data + at, id)) {
      remove_message(journal, at, i);
      return true;
    }
    at += message_bytes(journal->data + at);
  }
  return false;
}

bool ota_journal_holds(const struct ota_journal *journal, const char *id) {
  for (size_t at = header_bytes; at < journal->used; at += message_bytes(journal->data + at))
    if (has_id(journal->data + at, id)) return true;
  return false;
}

void ota_journal_online(struct ota_journal *journal) { memset(journal->sending, 0, sizeof journal->sending); }

uint64_t ota_journal_send(struct ota_journal *journal, uint64_t now, uint32_t min_ms, uint32_t max_ms) {
  const struct ota_port *port = journal->port;
  uint64_t next = 0;
  size_t at = header_bytes;
  for (uint32_t i = 0; i < journal->count; i++) {
    const uint8_t *message = journal->data + at;
    struct ota_sending *sending = &journal->sending[i];
    if (sending->due_at <= now) {
      const char *payload = (const char *)message + message_header_bytes + message[3];
      int error = port->mqtt_publish(port->ctx, ota_uplink_topics[message[2]], payload, payload_bytes(message));
      if (error == OTA_OK) {
        sending->due_at = now + ota_backoff_ms(port, sending->tries, min_ms, max_ms);
        sending->tries++;
      } else {
        sending->due_at = now + 100;
      }
    }
    next = ota_earlier(next, sending->due_at);
    at += message_bytes(message);
  }
  return next;
}
