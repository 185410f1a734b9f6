/**
 * What the agent keeps across resets, in one atomic blob: a state and the messages that tell of it can then never disagree.
 * Messages are stored as final text, for an id names one body for ever, and are sent again and again until they are acked.
 */
#ifndef OTA_JOURNAL_H
#define OTA_JOURNAL_H

#include "ota_port.h"
#include "ota_state.h"

/** Topics of what devices say. Critical ones are stored by their number: add at the end. */
enum ota_uplink {
  OTA_UP_REQUEST_ACK = 0,
  OTA_UP_RESULT,
  OTA_UP_CANCEL_ACK,
  OTA_UP_HEALTH,
  OTA_UP_CONTROL_RESPONSE,
  OTA_UP_CERTIFICATE_REQUEST,
  OTA_UP_PROGRESS,
  OTA_UP_LOG,
  OTA_UPLINKS,
};

extern const char *const ota_uplink_topics[OTA_UPLINKS];

#define OTA_OUTBOX_MESSAGES 24u
/** Largest critical message: its header, id and payload. */
#define OTA_OUTBOX_MESSAGE_MAX 2048u

struct ota_sending {
  /** uptime_ms; 0: at once. */
  uint64_t due_at;
  uint32_t tries;
};

struct ota_journal {
  const struct ota_port *port;
  uint8_t *data;
  size_t capacity;
  /** Stored header and messages, from the start of `data`. */
  size_t used;
  uint32_t count;
  /** Number of the next message within this boot. */
  uint32_t number;
  struct ota_sending sending[OTA_OUTBOX_MESSAGES];
  struct ota_state state;
  /** What boots are counted in; null: messages do not say. Owned by the agent. */
  const char *epoch;
  /** The message being written. */
  struct ota_text text;
};

/** Reads what is stored, as much of it as fits and is understood, or starts empty. OTA_ERR_STORAGE. */
int ota_journal_load(struct ota_journal *journal, const struct ota_port *port, uint8_t *data, size_t capacity);

/** Stores state and messages. OTA_ERR_STORAGE, OTA_ERR_SPACE. */
int ota_journal_store(struct ota_journal *journal);

/**
 * Begins a message: {"id":…,"at":…,"seq":[…],"epoch":…. Write its members to the result, each with a comma before it, then call
 * ota_journal_end; stored with the next ota_journal_store. The oldest of the messages that matter least make room for it.
 * `id`: null for a random one; when there is none to be had, ota_journal_end fails.
 */
struct ota_text *ota_journal_begin(struct ota_journal *journal, enum ota_uplink topic, const char *id);
int ota_journal_end(struct ota_journal *journal);

/** True when it was there; store the journal then. */
bool ota_journal_forget(struct ota_journal *journal, const char *id);
bool ota_journal_holds(const struct ota_journal *journal, const char *id);

/** A new connection: nobody knows what became of earlier sends, so all go out again at once. */
void ota_journal_online(struct ota_journal *journal);

/** Sends what is due, oldest first; returns when more will be, 0: never. */
uint64_t ota_journal_send(struct ota_journal *journal, uint64_t now, uint32_t min_ms, uint32_t max_ms);

#endif
