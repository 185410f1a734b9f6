/* espressif/arduino-esp32 0eb6f2b, libraries/WiFi/src/WiFiSTA.h; more members there */
#pragma once
#include "Arduino.h"
typedef enum { WL_IDLE_STATUS = 0 } wl_status_t;
class WiFiClass {
public:
  wl_status_t begin(const char *ssid, const char *passphrase = NULL, int32_t channel = 0, const uint8_t *bssid = NULL, bool connect = true);
};
extern WiFiClass WiFi;
