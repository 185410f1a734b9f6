#include "uno.h"

#include <stdio.h>
#include <string.h>

#include "board.h"
#include "driver/gpio.h"
#include "driver/uart.h"
#include "esp_heap_caps.h"
#include "esp_task_wdt.h"
#include "esp_timer.h"
#include "flota.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "store.h"

static const uart_port_t port = UART_NUM_0;
static const char blob[] = "uno";
static const char component[] = "uno";
/* What the device reports of its child. */
static const char hardware[] = "arduino-uno";

static int write_bytes(void *context, const uint8_t *data, size_t size) {
  (void)context;
  return uart_write_bytes(port, data, size) == (int)size ? 0 : -1;
}

/* The driver waits until all that was asked for is there, so the first byte is waited for alone. */
static int read_bytes(void *context, uint8_t *data, size_t size, uint32_t timeout_ms) {
  (void)context;
  const int first = uart_read_bytes(port, data, 1, pdMS_TO_TICKS(timeout_ms));
  if (first <= 0 || size == 1) return first;
  const int rest = uart_read_bytes(port, data + 1, size - 1, 0);
  return rest < 0 ? rest : rest + 1;
}

static int reset(void *context) {
  (void)context;
  if (gpio_set_level(BOARD_UNO_RESET, 0) != ESP_OK) return -1;
  vTaskDelay(pdMS_TO_TICKS(20));
  if (uart_flush_input(port) != ESP_OK) return -1;
  return gpio_set_level(BOARD_UNO_RESET, 1) == ESP_OK ? 0 : -1;
}

static uint32_t now_ms(void *context) {
  (void)context;
  return (uint32_t)(esp_timer_get_time() / 1000);
}

static int load_record(void *context, struct uno_record *record) {
  (void)context;
  const int bytes = flota_store_get(blob, record, sizeof *record);
  if (bytes < 0 && bytes != OTA_ERR_SPACE) return bytes;
  return bytes == (int)sizeof *record ? OTA_OK : OTA_ERR_ABSENT;
}

static int save_record(void *context, const struct uno_record *record) {
  (void)context;
  return flota_store_put(blob, record, sizeof *record);
}

/* Flashing takes as long as it takes: page by page the watchdog sees that it goes on. */
static void feed_watchdog(void *context, enum stk500_stage stage, uint32_t done_bytes, uint32_t size_bytes) {
  (void)context;
  (void)stage;
  (void)done_bytes;
  (void)size_bytes;
  (void)esp_task_wdt_reset();
}

static esp_err_t open_line(void) {
  const uart_config_t line = {.baud_rate = 115200,
                              .data_bits = UART_DATA_8_BITS,
                              .parity = UART_PARITY_DISABLE,
                              .stop_bits = UART_STOP_BITS_1,
                              .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
                              .source_clk = UART_SCLK_DEFAULT};
  /* Open drain: the Uno's reset is pulled up to 5 V. */
  const gpio_config_t pin = {.pin_bit_mask = 1ULL << BOARD_UNO_RESET, .mode = GPIO_MODE_OUTPUT_OD};
  esp_err_t error = gpio_set_level(BOARD_UNO_RESET, 1);
  if (error == ESP_OK) error = gpio_config(&pin);
  if (error == ESP_OK) error = uart_driver_install(port, 1024, 0, 0, NULL, 0);
  if (error == ESP_OK) error = uart_param_config(port, &line);
  if (error == ESP_OK) error = uart_set_pin(port, BOARD_UNO_TX, BOARD_UNO_RX, UART_PIN_NO_CHANGE, UART_PIN_NO_CHANGE);
  return error;
}

static int take_page(void *context, uint32_t offset, const uint8_t *data, size_t size) {
  struct uno *uno = context;
  if (offset == 0 && flota_crypto_sha256_start(&uno->crypto) != OTA_OK) return -1;
  return flota_crypto_sha256_update(&uno->crypto, data, size);
}

/* Reads the Uno's flash back once and forgets what it was thought to run when it runs something else. */
static void attest(struct uno *uno) {
  struct uno_record record;
  if (load_record(NULL, &record) != OTA_OK || !record.whole) return;
  uint8_t digest[OTA_SHA256_BYTES];
  /* A Uno that is not there now may be there later: nothing is known, so nothing is changed. */
  if (stk500_read_flash(&uno->line.line, record.image.size, uno, take_page) != STK500_OK) return;
  if (flota_crypto_sha256_finish(&uno->crypto, digest) != OTA_OK) return;
  record.whole = memcmp(digest, record.image.sha256, sizeof digest) == 0;
  if (!record.whole) (void)save_record(NULL, &record);
}

const struct ota_installer *uno_start(struct uno *uno) {
  uint8_t *image = heap_caps_malloc(STK500_MAX_IMAGE_BYTES, MALLOC_CAP_SPIRAM);
  if (!image || flota_store_open() != OTA_OK || flota_crypto_start() != OTA_OK || open_line() != ESP_OK) return NULL;
  uno->line = (struct uno_installer){
      .line = {.write = write_bytes, .read = read_bytes, .reset = reset, .now_ms = now_ms},
      .image = image,
      .load = load_record,
      .save = save_record,
      .progress = feed_watchdog,
  };
  attest(uno);
  uno->installer = uno_installer(&uno->line, component, hardware);
  return &uno->installer;
}

void uno_poll(struct uno *uno) {
  uno_installer_poll(&uno->line);
  if (!uno->line.has_temperature) return;
  char members[48];
  const int32_t tenths = uno->line.temperature_tenths;
  const unsigned long size = (unsigned long)(tenths < 0 ? -tenths : tenths);
  (void)snprintf(members, sizeof members, "\"temperatureC\":%s%lu.%lu", tenths < 0 ? "-" : "", size / 10, size % 10);
  (void)flota_set_sensors(members);
}
