/** The MQTT connection: opened again with jittered back-off for as long as the agent lives. */
#ifndef OTA_SESSION_H
#define OTA_SESSION_H

#include "ota_types.h"

struct ota_agent;

enum ota_session_state { OTA_OFFLINE = 0, OTA_CONNECTING, OTA_ONLINE };

struct ota_session {
  enum ota_session_state state;
  /** When the next connect is due, or the present one has taken too long. */
  uint64_t due_at;
  uint32_t failures;
  uint32_t connects;
  /** The pair of the connection that is open or being opened. */
  enum ota_key_pair pair;
};

/** Connects when due, and handles one event of the port. True when there may be more. */
bool ota_session_poll(struct ota_agent *agent, uint64_t now);

/** Drops the connection and opens another, at once. */
void ota_session_reconnect(struct ota_agent *agent);

#endif
