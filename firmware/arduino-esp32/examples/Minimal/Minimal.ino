// Wi-Fi and Flota: all that a sketch needs to be updated over the air.
#include <Flota.h>
#include <WiFi.h>

static esp_err_t self_test(void *) {
  // What a new sketch has to show before it is kept. Reaching the broker is asked of it anyway.
  return ESP_OK;
}

static void on_status(const flota_status_t *status, void *) {
  static int told = -1;
  if (status->stage == told) return;
  told = status->stage;
  Serial.printf("%s %s: stage %d %s\n", status->id, status->running, told, status->problem ? status->problem : "");
}

void setup() {
  Serial.begin(115200);
  // Name and password are in the settings, beside Flota's own.
  static char ssid[33];
  static char password[65];
  if (flota_setting("wifi_ssid", ssid, sizeof ssid) != ESP_OK) Serial.println("setting wifi_ssid missing");
  (void)flota_setting("wifi_password", password, sizeof password);
  WiFi.begin(ssid, password);

  flota_config_t config = {};
  config.hardware = "minimal";  // as the device is registered
  config.self_test = self_test;
  config.on_status = on_status;
  const esp_err_t error = flota_start(&config);
  if (error != ESP_OK) Serial.printf("Flota does not start: %s\n", esp_err_to_name(error));
}

void loop() { delay(1000); }
