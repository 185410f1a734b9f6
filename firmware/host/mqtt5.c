#include "mqtt5.h"

#include <mqtt_protocol.h>
#include <stdlib.h>
#include <string.h>

static const char traceparent[] = "traceparent";
/** As long as the broker keeps a session of MQTT 3.1.1 (emqx/conf/emqx.conf). In MQTT 5 one ends with its connection unless this is asked for. */
static const uint32_t session_seconds = 7 * 24 * 3600;

int host_mqtt5_begin(struct mosquitto *client) {
  mosquitto_property *properties = NULL;
  int error = mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  if (error == MOSQ_ERR_SUCCESS)
    error = mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, session_seconds);
  // The function that takes properties blocks until TCP stands. Without a host it only keeps them for the one that does not.
  if (error == MOSQ_ERR_SUCCESS && mosquitto_connect_bind_v5(client, NULL, 0, 0, NULL, properties) != MOSQ_ERR_INVAL)
    error = MOSQ_ERR_NOT_SUPPORTED;
  mosquitto_property_free_all(&properties);
  return error;
}

void host_mqtt5_trace(const mosquitto_property *properties, char trace[host_trace_max + 1]) {
  trace[0] = '\0';
  bool again = false;
  for (;;) {
    char *name = NULL, *value = NULL;
    properties = mosquitto_property_read_string_pair(properties, MQTT_PROP_USER_PROPERTY, &name, &value, again);
    if (!properties) return;
    again = true;
    bool found = strcmp(name, traceparent) == 0 && strlen(value) <= host_trace_max;
    if (found) (void)snprintf(trace, host_trace_max + 1, "%s", value);
    free(name);
    free(value);
    if (found) return;
  }
}

static size_t family_of(const char *topic) { return strcspn(topic, "/"); }

void host_mqtt5_follow(const struct host *host, struct host_traces *traces, const char *topic, const char *trace) {
  size_t bytes = family_of(topic);
  char text[160];
  if (*trace != '\0') {
    (void)snprintf(text, sizeof text, "%.64s came, traceparent %s", topic, trace);
    host_log(host, OTA_LOG_INFO, text);
  }
  if (bytes == 0 || bytes >= sizeof traces->of[0].family) return;
  for (int i = 0; i < host_traces_max; i++) {
    char *family = traces->of[i].family;
    if (*family != '\0' && (strlen(family) != bytes || strncmp(family, topic, bytes) != 0)) continue;
    (void)snprintf(family, sizeof traces->of[i].family, "%.*s", (int)bytes, topic);
    (void)snprintf(traces->of[i].trace, sizeof traces->of[i].trace, "%s", trace);
    return;
  }
}

mosquitto_property *host_mqtt5_answer(const struct host_traces *traces, const char *topic) {
  mosquitto_property *properties = NULL;
  size_t bytes = family_of(topic);
  for (int i = 0; i < host_traces_max; i++) {
    const char *trace = traces->of[i].trace;
    if (*trace == '\0' || strlen(traces->of[i].family) != bytes || strncmp(traces->of[i].family, topic, bytes) != 0)
      continue;
    if (mosquitto_property_add_string_pair(&properties, MQTT_PROP_USER_PROPERTY, traceparent, trace) != MOSQ_ERR_SUCCESS)
      mosquitto_property_free_all(&properties);
    break;
  }
  return properties;
}

void host_mqtt5_refused(const struct host *host, const char *what, int reason, const mosquitto_property *properties) {
  // CONNACK of MQTT 3.1.1 has codes of its own, up to 5; what the library tells in words begins with what we say.
  bool is_old = reason < 0x80;
  const char *words = is_old ? mosquitto_connack_string(reason) : mosquitto_reason_string(reason);
  const char *colon = is_old ? strstr(words, ": ") : NULL;
  char text[320];
  char *told = NULL;
  (void)mosquitto_property_read_string(properties, MQTT_PROP_REASON_STRING, &told, false);
  (void)snprintf(text, sizeof text, "the broker %s: %s (0x%02x)%s%.120s", what, colon ? colon + 2 : words, (unsigned)reason,
                 told ? ", " : "", told ? told : "");
  free(told);
  host_log(host, OTA_LOG_WARN, text);
}
