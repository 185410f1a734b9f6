/* Wi-Fi as a station, with the name and password of the settings. */
#ifndef NETWORK_H
#define NETWORK_H

#include "esp_err.h"

/* Starts to connect, and goes on for ever by itself. */
esp_err_t network_start(void);

#endif
