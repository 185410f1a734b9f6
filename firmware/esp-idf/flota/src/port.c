/* struct ota_port: each callback hands on to the part that does it. */
#include "clock.h"
#include "device.h"
#include "esp_log.h"
#include "esp_random.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "report.h"
#include "sealing.h"
#include "store.h"

static int on_mqtt_connect(void *ctx, enum ota_key_pair pair) { return flota_mqtt_connect(&((struct device *)ctx)->mqtt, pair); }
static void on_mqtt_disconnect(void *ctx) { flota_mqtt_disconnect(&((struct device *)ctx)->mqtt); }
static int on_mqtt_publish(void *ctx, const char *topic, const char *payload, size_t bytes) {
  return flota_mqtt_publish(&((struct device *)ctx)->mqtt, topic, payload, bytes);
}
static int on_mqtt_poll(void *ctx, struct ota_mqtt_event *event, char *inbox, size_t capacity) {
  return flota_mqtt_poll(&((struct device *)ctx)->mqtt, event, inbox, capacity);
}

static int on_http_get(void *ctx, const char *url, uint32_t from, uint32_t to) {
  return flota_http_get(&((struct device *)ctx)->http, url, from, to);
}
static int on_http_head(void *ctx, struct ota_http_head *head) { return flota_http_head(&((struct device *)ctx)->http, head); }
static int on_http_read(void *ctx, uint8_t *data, size_t capacity) {
  return flota_http_read(&((struct device *)ctx)->http, data, capacity);
}
static void on_http_end(void *ctx, bool keep) { flota_http_end(&((struct device *)ctx)->http, keep); }

static uint32_t on_staging_bytes(void *ctx) { return flota_staging_bytes(&((struct device *)ctx)->staging); }
static int on_staging_write(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  return flota_staging_write(&((struct device *)ctx)->staging, offset, data, bytes);
}
static int on_staging_read(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  return flota_staging_read(&((struct device *)ctx)->staging, offset, data, bytes);
}
static int on_staging_sync(void *ctx) { return flota_staging_sync(&((struct device *)ctx)->staging); }
static int on_staging_clear(void *ctx) { return flota_staging_clear(&((struct device *)ctx)->staging); }

static const char *blob_name(enum ota_store_key key) {
  switch (key) {
    case OTA_STORE_JOURNAL: return "journal";
    case OTA_STORE_CHECKPOINT: return "checkpoint";
    case OTA_STORE_KEEP: return "keep";
    case OTA_STORE_KEEP_COPY: return "keep-copy";
    default: return "url";
  }
}
static int on_store_read(void *ctx, enum ota_store_key key, uint8_t *data, size_t capacity) {
  (void)ctx;
  return flota_store_get(blob_name(key), data, capacity);
}
static int on_store_write(void *ctx, enum ota_store_key key, const uint8_t *data, size_t bytes) {
  (void)ctx;
  return flota_store_put(blob_name(key), data, bytes);
}

static int on_cert_validity(void *ctx, struct ota_validity *validity) {
  return flota_identity_validity(&((struct device *)ctx)->identity, validity);
}
static enum ota_renewal_state on_cert_state(void *ctx) { return flota_identity_renewal(&((struct device *)ctx)->identity); }
static int on_cert_request(void *ctx, char *csr, size_t capacity) {
  return flota_identity_request(&((struct device *)ctx)->identity, OTA_PAIR_NEW, csr, capacity);
}
static int on_cert_store(void *ctx, const char *certificate, const char *chain) {
  return flota_identity_store(&((struct device *)ctx)->identity, OTA_PAIR_NEW, certificate, chain);
}
static int on_cert_promote(void *ctx) { return flota_identity_promote(&((struct device *)ctx)->identity); }
static int on_cert_drop(void *ctx) { return flota_identity_drop(&((struct device *)ctx)->identity); }

static int on_sha256_start(void *ctx) { return flota_crypto_sha256_start(&((struct device *)ctx)->crypto); }
static int on_sha256_update(void *ctx, const uint8_t *data, size_t bytes) {
  return flota_crypto_sha256_update(&((struct device *)ctx)->crypto, data, bytes);
}
static int on_sha256_finish(void *ctx, uint8_t digest[OTA_SHA256_BYTES]) {
  return flota_crypto_sha256_finish(&((struct device *)ctx)->crypto, digest);
}
static int on_es256_verify(void *ctx, const uint8_t xy[OTA_ES256_BYTES], const uint8_t *message, size_t bytes,
                           const uint8_t signature[OTA_ES256_BYTES]) {
  (void)ctx;
  return flota_crypto_es256_verify(xy, message, bytes, signature);
}

#ifdef FLOTA_SEAL
static const char *current_key(void *ctx) { return ((struct device *)ctx)->identity.pairs[OTA_PAIR_CURRENT].key; }
static int on_seal_key(void *ctx, uint8_t xy[OTA_ES256_BYTES]) { return flota_sealing_key(current_key(ctx), xy); }
static int on_seal_agree(void *ctx, const uint8_t xy[OTA_ES256_BYTES], uint8_t secret[32]) {
  return flota_sealing_agree(current_key(ctx), xy, secret);
}
static int on_gcm_open(void *ctx, const uint8_t key[OTA_AES_KEY_BYTES], const uint8_t nonce[OTA_GCM_NONCE_BYTES], const uint8_t *extra,
                       size_t extra_bytes, uint8_t *data, size_t bytes, const uint8_t tag[OTA_GCM_TAG_BYTES]) {
  (void)ctx;
  (void)tag;
  return flota_sealing_open(key, nonce, extra, extra_bytes, data, bytes);
}
#endif

static uint64_t on_uptime_ms(void *ctx) {
  (void)ctx;
  return (uint64_t)(esp_timer_get_time() / 1000);
}
static int64_t on_unix_ms(void *ctx) {
  (void)ctx;
  return flota_clock_unix_ms();
}
static int on_random(void *ctx, uint8_t *data, size_t bytes) {
  (void)ctx;
  esp_fill_random(data, bytes);
  return OTA_OK;
}

static enum ota_boot_reason on_boot_reason(void *ctx) {
  (void)ctx;
  switch (esp_reset_reason()) {
    case ESP_RST_POWERON:
    case ESP_RST_BROWNOUT:
    case ESP_RST_EXT: return OTA_BOOT_POWER_ON;
    case ESP_RST_PANIC:
    case ESP_RST_INT_WDT:
    case ESP_RST_TASK_WDT:
    case ESP_RST_WDT: return OTA_BOOT_WATCHDOG;
    default: return OTA_BOOT_UNKNOWN;
  }
}
static void on_reboot(void *ctx) {
  struct device *device = ctx;
  flota_mqtt_close(&device->mqtt, 2000);
  esp_restart();
}

static void on_log(void *ctx, enum ota_log_level level, const char *text) {
  (void)ctx;
  static const char tag[] = "flota";
  if (level == OTA_LOG_ERROR) ESP_LOGE(tag, "%s", text);
  else if (level == OTA_LOG_WARN) ESP_LOGW(tag, "%s", text);
  else ESP_LOGI(tag, "%s", text);
}

static int on_telemetry(void *ctx, unsigned index, const char **topic, char *fields, size_t capacity) {
  return flota_report_fields(&((struct device *)ctx)->mqtt, index, topic, fields, capacity);
}

static void on_health(void *ctx, struct ota_text *text) {
  const struct device *device = ctx;
  if (device->crashed) ota_crash_write(&device->crash, text);
}

struct ota_port flota_device_port(struct device *device) {
  return (struct ota_port){
      .ctx = device,
      .mqtt_connect = on_mqtt_connect,
      .mqtt_disconnect = on_mqtt_disconnect,
      .mqtt_publish = on_mqtt_publish,
      .mqtt_poll = on_mqtt_poll,
      .http_get = on_http_get,
      .http_head = on_http_head,
      .http_read = on_http_read,
      .http_end = on_http_end,
      .staging_bytes = on_staging_bytes,
      .staging_write = on_staging_write,
      .staging_read = on_staging_read,
      .staging_sync = on_staging_sync,
      .staging_clear = on_staging_clear,
      .store_read = on_store_read,
      .store_write = on_store_write,
      .cert_validity = on_cert_validity,
      .cert_state = on_cert_state,
      .cert_request = on_cert_request,
      .cert_store = on_cert_store,
      .cert_promote = on_cert_promote,
      .cert_drop = on_cert_drop,
      .sha256_start = on_sha256_start,
      .sha256_update = on_sha256_update,
      .sha256_finish = on_sha256_finish,
      .es256_verify = on_es256_verify,
      .uptime_ms = on_uptime_ms,
      .unix_ms = on_unix_ms,
      .random = on_random,
      .boot_reason = on_boot_reason,
      .reboot = on_reboot,
      .log = on_log,
      .telemetry = on_telemetry,
      .health = on_health,
#ifdef FLOTA_SEAL
      .seal_key = on_seal_key,
      .seal_agree = on_seal_agree,
      .gcm_open = on_gcm_open,
#endif
  };
}
