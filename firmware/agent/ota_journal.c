#include "ota_journal.h"

#include <string.h>

#include "ota_bytes.h"
#include "ota_crc.h"
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

/* Stored: format (1 byte), bytes of all messages (4), the messages, the state, and at the very end, where a firmware that knows of
 * none passes over it, a mark (4) and the CRC of all before it (4). A message: bytes of its payload (2), topic (1), bytes of its id
 * (1), id, payload. Numbers are little-endian. */
enum { format = 1, header_bytes = 5, message_header_bytes = 4, trailer_bytes = 8 };

static const uint8_t crc_mark[4] = {'C', 'R', 'C', '1'};

/** A journal without a mark is that of a firmware which did not write one. */
static bool is_damaged(const uint8_t *data, size_t bytes) {
  if (bytes < header_bytes + trailer_bytes || memcmp(data + bytes - trailer_bytes, crc_mark, sizeof crc_mark) != 0)
    return false;
  return ota_take_number(data + bytes - 4, 4) != ota_crc32(data, bytes - 4);
}

static size_t payload_bytes(const uint8_t *message) { return (size_t)ota_take_number(message, 2); }

static size_t message_bytes(const uint8_t *message) { return message_header_bytes + message[3] + payload_bytes(message); }

static bool has_id(const uint8_t *message, const char *id) {
  return strlen(id) == message[3] && memcmp(message + message_header_bytes, id, message[3]) == 0;
}

static void remove_message(struct ota_journal *journal, size_t at, uint32_t index) {
  size_t bytes = message_bytes(journal->data + at);
  memmove(journal->data + at, journal->data + at + bytes, journal->used - at - bytes);
  journal->used -= bytes;
  journal->count--;
  memmove(&journal->sending[index], &journal->sending[index + 1],
          (journal->count - index) * sizeof journal->sending[0]);
}

/** How much it matters that a message arrives: nobody asks again for an answer, and deployments wait for results. */
static unsigned importance(uint8_t topic, bool is_newest_boot) {
  switch (topic) {
    case OTA_UP_HEALTH: return is_newest_boot ? 3 : 0;
    case OTA_UP_CERTIFICATE_REQUEST: return 1;
    case OTA_UP_CONTROL_RESPONSE: return 2;
    case OTA_UP_CANCEL_ACK: return 4;
    case OTA_UP_REQUEST_ACK: return 5;
    default: return 6;
  }
}

/** Takes away the oldest of the messages that matter least. */
static void drop_one(struct ota_journal *journal) {
  uint32_t newest_boot = journal->count;
  size_t at = header_bytes;
  for (uint32_t i = 0; i < journal->count; i++, at += message_bytes(journal->data + at))
    if (journal->data[at + 2] == OTA_UP_HEALTH) newest_boot = i;
  size_t least_at = header_bytes;
  uint32_t least = 0;
  unsigned matters = UINT32_MAX;
  at = header_bytes;
  for (uint32_t i = 0; i < journal->count; i++, at += message_bytes(journal->data + at)) {
    unsigned it = importance(journal->data[at + 2], i == newest_boot);
    if (it >= matters) continue;
    matters = it;
    least = i;
    least_at = at;
  }
  remove_message(journal, least_at, least);
}

/** Room for one more message of any size, and for the state. */
static bool has_room(const struct ota_journal *journal) {
  return journal->count < OTA_OUTBOX_MESSAGES &&
         journal->used + OTA_OUTBOX_MESSAGE_MAX + OTA_STATE_BYTES + trailer_bytes <= journal->capacity;
}

/**
 * Counts the messages that were loaded; false when they are none. Those of a firmware that knows more topics, held more messages or
 * had a larger journal are let go as far as they must be.
 */
static bool keep_known(struct ota_journal *journal) {
  for (size_t at = header_bytes; at < journal->used;) {
    const uint8_t *message = journal->data + at;
    if (journal->used - at < message_header_bytes || journal->used - at < message_bytes(message)) return false;
    if (journal->count == OTA_OUTBOX_MESSAGES) {
      size_t before = journal->used;
      drop_one(journal);
      at -= before - journal->used;
    }
    size_t bytes = message_bytes(journal->data + at);
    journal->count++;
    if (journal->data[at + 2] >= OTA_UPLINKS) remove_message(journal, at, journal->count - 1);
    else at += bytes;
  }
  while (journal->count > 0 && journal->used + OTA_STATE_BYTES + trailer_bytes > journal->capacity) drop_one(journal);
  return true;
}

int ota_journal_load(struct ota_journal *journal, const struct ota_port *port, uint8_t *data, size_t capacity) {
  memset(journal, 0, sizeof *journal);
  journal->port = port;
  journal->data = data;
  journal->capacity = capacity;
  int bytes = port->store_read(port->ctx, OTA_STORE_JOURNAL, data, capacity);
  if (bytes < 0 && bytes != OTA_ERR_ABSENT && bytes != OTA_ERR_SPACE) return OTA_ERR_STORAGE;
  if (bytes >= header_bytes && data[0] == format && !is_damaged(data, (size_t)bytes)) {
    uint32_t messages = (uint32_t)ota_take_number(data + 1, 4);
    if (messages <= (uint32_t)bytes - header_bytes) {
      journal->used = header_bytes + messages;
      size_t state = (size_t)bytes - journal->used;
      if (ota_state_decode(&journal->state, data + journal->used, state) == OTA_OK && keep_known(journal)) return OTA_OK;
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
  data[0] = format;
  ota_put_number(data + 1, journal->used - header_bytes, 4);
  int state = ota_state_encode(&journal->state, data + journal->used, journal->capacity - journal->used);
  if (state < 0) return state;
  size_t end = journal->used + (size_t)state;
  if (journal->capacity - end < trailer_bytes) return OTA_ERR_SPACE;
  memcpy(data + end, crc_mark, sizeof crc_mark);
  ota_put_number(data + end + 4, ota_crc32(data, end + 4), 4);
  const struct ota_port *port = journal->port;
  return port->store_write(port->ctx, OTA_STORE_JOURNAL, data, end + trailer_bytes);
}

struct ota_text *ota_journal_begin(struct ota_journal *journal, enum ota_uplink topic, const char *id) {
  const struct ota_port *port = journal->port;
  char random[OTA_RANDOM_ID_CHARS + 1] = "";
  bool nameless = !id && ota_random_id(port, random) != OTA_OK;
  if (!id) id = random;
  while (journal->count > 0 && !has_room(journal)) drop_one(journal);
  uint8_t *message = journal->data + journal->used;
  size_t id_bytes = strlen(id);
  message[2] = (uint8_t)topic;
  message[3] = (uint8_t)id_bytes;
  // Its length stands before it.
  memcpy(message + message_header_bytes, id, id_bytes);  // NOLINT(bugprone-not-null-terminated-result)
  size_t before = message_header_bytes + id_bytes;
  struct ota_text *text = &journal->text;
  ota_text_begin(text, (char *)message + before, OTA_OUTBOX_MESSAGE_MAX - before);
  ota_text_head(text, id, port->unix_ms(port->ctx));
  ota_text_raw(text, ",\"seq\":[");
  ota_text_number(text, journal->state.boot_count);
  ota_text_raw(text, ",");
  ota_text_number(text, journal->number++);
  ota_text_raw(text, "]");
  if (journal->epoch) ota_text_member_string(text, "epoch", journal->epoch);
  text->overflow = text->overflow || nameless;
  return text;
}

int ota_journal_end(struct ota_journal *journal) {
  ota_text_raw(&journal->text, "}");
  int bytes = ota_text_end(&journal->text);
  if (bytes < 0) return bytes;
  uint8_t *message = journal->data + journal->used;
  ota_put_number(message, (uint64_t)bytes, 2);
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
