/** What MQTT 5 adds to a connection of flota-device; topics and payloads are those of 3.1.1. */
#ifndef HOST_MQTT5_H
#define HOST_MQTT5_H

#include <mosquitto.h>

#include "host.h"

/** A `traceparent` of version 00 has 55 characters: https://www.w3.org/TR/trace-context/ */
enum { host_trace_max = 55, host_traces_max = 4 };

/** The trace of the last command of each family of topics: firmware/…, control/…, cert/… */
struct host_traces {
  struct {
    char family[16], trace[host_trace_max + 1];
  } of[host_traces_max];
};

/** To be called before the connection is begun. MOSQ_ERR_… */
int host_mqtt5_begin(struct mosquitto *client);
/** The user property `traceparent`; empty without one that fits. */
void host_mqtt5_trace(const mosquitto_property *properties, char trace[host_trace_max + 1]);
/** A command has come: what the device publishes in its family from now on belongs to this trace, or to none. Logs the trace. */
void host_mqtt5_follow(const struct host *host, struct host_traces *traces, const char *topic, const char *trace);
/** The properties of a publish, to be freed; null for none. */
mosquitto_property *host_mqtt5_answer(const struct host_traces *traces, const char *topic);
/** Logs what the broker said no to, with its reason in words. */
void host_mqtt5_refused(const struct host *host, const char *what, int reason, const mosquitto_property *properties);

#endif
