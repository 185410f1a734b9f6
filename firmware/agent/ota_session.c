#include "ota_session.h"

#include "ota_life.h"
#include "ota_pace.h"

const char *const ota_downlink_topics[] = {
    "firmware/download/cancel",
    "control/command",
    "cert/renew/response",
    "ack",
    // Last: its subscription is what the webhook waits for.
    "firmware/download/request",
    NULL,
};

static void lost(struct ota_agent *agent, bool reached, uint64_t now) {
  struct ota_session *session = &agent->session;
  const struct ota_timing *timing = &agent->config.timing;
  if (session->state == OTA_OFFLINE) return;
  if (session->state == OTA_CONNECTING && reached) ota_renewal_refused(agent, session->pair);
  session->state = OTA_OFFLINE;
  session->due_at =
      now + ota_backoff_ms(agent->port, session->failures++, timing->reconnect_min_ms, timing->reconnect_max_ms);
}

static void connect(struct ota_agent *agent, uint64_t now) {
  struct ota_session *session = &agent->session;
  session->pair = ota_renewal_pair(agent);
  session->state = OTA_CONNECTING;
  session->due_at = now + agent->config.timing.connect_ms;
  if (agent->port->mqtt_connect(agent->port->ctx, session->pair) != OTA_OK) lost(agent, false, now);
}

static void connected(struct ota_agent *agent, uint64_t now) {
  struct ota_session *session = &agent->session;
  if (session->state != OTA_CONNECTING) return;
  session->state = OTA_ONLINE;
  session->due_at = 0;
  session->failures = 0;
  session->connects++;
  if (ota_renewal_connected(agent, session->pair) != OTA_OK) {
    ota_fault(agent, "certificate storage failed");
    return;
  }
  ota_online(agent, now);
}

/** What is due when the port has nothing to tell; false: nothing is. */
static bool keep_connected(struct ota_agent *agent, uint64_t now) {
  struct ota_session *session = &agent->session;
  const struct ota_port *port = agent->port;
  if (session->state == OTA_ONLINE || session->due_at > now) return false;
  if (session->state == OTA_CONNECTING) {
    port->mqtt_disconnect(port->ctx);
    lost(agent, false, now);
  } else {
    connect(agent, now);
  }
  return true;
}

bool ota_session_poll(struct ota_agent *agent, uint64_t now) {
  const struct ota_port *port = agent->port;
  const struct ota_buffers *buffers = &agent->config.buffers;
  struct ota_mqtt_event event = {.type = OTA_MQTT_NONE};
  // Before the next connection is made: what an earlier one has still to tell says nothing about it.
  if (port->mqtt_poll(port->ctx, &event, buffers->inbox, buffers->inbox_bytes - 1) != OTA_OK) event.type = OTA_MQTT_NONE;
  switch (event.type) {
    case OTA_MQTT_CONNECTED:
      connected(agent, now);
      return true;
    case OTA_MQTT_DISCONNECTED:
      lost(agent, event.reached, now);
      return true;
    case OTA_MQTT_MESSAGE:
      ota_receive(agent, event.topic, event.payload_bytes);
      return true;
    case OTA_MQTT_NONE:
    default:
      return keep_connected(agent, now);
  }
}

void ota_session_reconnect(struct ota_agent *agent) {
  struct ota_session *session = &agent->session;
  if (session->state != OTA_OFFLINE) agent->port->mqtt_disconnect(agent->port->ctx);
  session->state = OTA_OFFLINE;
  session->failures = 0;
  session->due_at = ota_now(agent);
}
