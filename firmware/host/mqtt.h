#ifndef HOST_MQTT_H
#define HOST_MQTT_H

#include "host.h"

/** Socket to wait for, or -1, and whether it has something to write. */
int host_mqtt_socket(const struct host *host, bool *wants_write);

#endif
