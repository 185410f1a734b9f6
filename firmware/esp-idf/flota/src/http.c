#include "http.h"

#include <stdio.h>
#include <string.h>

#include "freertos/idf_additions.h"
#include "buffers.h"
#include "options.h"

enum { RING_BYTES = CONFIG_FLOTA_RING_KIB * 1024, BLOCK_BYTES = 4096, TIMEOUT_MS = 10000, TASK_STACK_BYTES = 8192, TASK_PRIORITY = 4 };

static bool is_wanted(struct http *http) { return atomic_load(&http->wanted) == atomic_load(&http->served); }

static esp_err_t on_event(esp_http_client_event_t *event) {
  struct http *http = event->user_data;
  if (event->event_id == HTTP_EVENT_ON_HEADER && event->header_key && event->header_value) {
    ota_http_head_field(&http->head, event->header_key, strlen(event->header_key), event->header_value, strlen(event->header_value));
  }
  return ESP_OK;
}

static bool prepare(struct http *http, const struct http_request *request) {
  if (!http->client) {
    const esp_http_client_config_t config = {.url = request->url,
                                             .cert_pem = http->trust,
                                             .event_handler = on_event,
                                             .user_data = http,
                                             .timeout_ms = TIMEOUT_MS,
                                             .disable_auto_redirect = true,
                                             .keep_alive_enable = true,
                                             .buffer_size = 4096,
                                             .buffer_size_tx = 4096};
    http->client = esp_http_client_init(&config);
    if (!http->client) return false;
  } else if (esp_http_client_set_url(http->client, request->url) != ESP_OK) {
    return false;
  }
  char range[48];
  (void)snprintf(range, sizeof range, "bytes=%lu-%lu", (unsigned long)request->from, (unsigned long)(request->to - 1));
  if (request->to == 0) (void)esp_http_client_delete_header(http->client, "Range");
  else if (esp_http_client_set_header(http->client, "Range", range) != ESP_OK) return false;
  return esp_http_client_set_header(http->client, "Accept-Encoding", "identity") == ESP_OK;
}

/* Waits for room in the ring for as long as the answer is wanted. */
static bool pass_on(struct http *http, size_t bytes) {
  size_t passed = 0;
  while (passed < bytes && is_wanted(http)) {
    passed += xStreamBufferSend(http->body, http->block + passed, bytes - passed, pdMS_TO_TICKS(100));
  }
  return passed == bytes;
}

static enum http_phase receive(struct http *http) {
  for (;;) {
    const int bytes = esp_http_client_read(http->client, (char *)http->block, BLOCK_BYTES);
    if (bytes < 0) return HTTP_BROKEN;
    if (bytes == 0) return esp_http_client_is_complete_data_received(http->client) ? HTTP_ENDED : HTTP_BROKEN;
    if (!pass_on(http, (size_t)bytes)) return HTTP_BROKEN;
  }
}

/* Status of the answer, or negative. */
static int ask(struct http *http, const struct http_request *request) {
  ota_http_head_begin(&http->head, 0);
  if (!prepare(http, request)) return -1;
  if (esp_http_client_open(http->client, 0) != ESP_OK) return -1;
  if (esp_http_client_fetch_headers(http->client) < 0) return -1;
  return esp_http_client_get_status_code(http->client);
}

static enum http_phase serve(struct http *http, const struct http_request *request) {
  int status = ask(http, request);
  /* RFC 9112, 9.3.1: a server may have closed the kept connection meanwhile; that says nothing about this request. */
  if (status <= 0 && http->kept && is_wanted(http)) {
    (void)esp_http_client_close(http->client);
    status = ask(http, request);
  }
  if (status <= 0) return HTTP_BROKEN;
  http->head.status = status;
  atomic_store(&http->phase, HTTP_BODY);
  return receive(http);
}

static void run(void *context) {
  struct http *http = context;
  _Static_assert(sizeof(struct http_request) < TASK_STACK_BYTES / 3, "a request is copied to the stack");
  for (;;) {
    if (is_wanted(http)) (void)ulTaskNotifyTake(pdTRUE, portMAX_DELAY);
    const unsigned number = atomic_load(&http->wanted);
    if (number == atomic_load(&http->served)) continue;
    (void)xStreamBufferReset(http->body);
    atomic_store(&http->phase, HTTP_WAITING);
    const struct http_request request = http->wanted_request;
    atomic_store(&http->served, number);
    /* An empty one is only the end of the one before it. */
    const enum http_phase end = request.url[0] == '\0' ? HTTP_BROKEN : serve(http, &request);
    http->kept = end == HTTP_ENDED;
    if (!http->kept && http->client) (void)esp_http_client_close(http->client);
    atomic_store(&http->phase, end);
  }
}

int flota_http_start(struct http *http) {
  http->block = memory_take(BLOCK_BYTES);
  http->body = xStreamBufferCreateWithCaps(RING_BYTES, 1, MALLOC_CAP_SPIRAM);
  if (!http->body) http->body = xStreamBufferCreateWithCaps(RING_BYTES, 1, MALLOC_CAP_DEFAULT);
  if (!http->block || !http->body) return OTA_ERR_SPACE;
  const BaseType_t made = xTaskCreatePinnedToCore(run, "flota_http", TASK_STACK_BYTES, http, TASK_PRIORITY, &http->task, tskNO_AFFINITY);
  return made == pdPASS ? OTA_OK : OTA_ERR_SPACE;
}

static void want(struct http *http) {
  atomic_fetch_add(&http->wanted, 1);
  (void)xTaskNotifyGive(http->task);
}

int flota_http_get(struct http *http, const char *url, uint32_t from, uint32_t to) {
  /* The other task may be copying the request of before: it is still connecting for it. */
  if (!is_wanted(http)) return OTA_ERR_BUSY;
  const int n = snprintf(http->wanted_request.url, sizeof http->wanted_request.url, "%s", url);
  if (n <= 0 || (size_t)n >= sizeof http->wanted_request.url) return OTA_ERR_URL;
  http->wanted_request.from = from;
  http->wanted_request.to = to;
  want(http);
  return OTA_OK;
}

int flota_http_head(struct http *http, struct ota_http_head *head) {
  if (!is_wanted(http)) return 0;
  const int phase = atomic_load(&http->phase);
  if (phase == HTTP_WAITING) return 0;
  if (phase == HTTP_BROKEN && http->head.status == 0) return OTA_ERR_NETWORK;
  *head = http->head;
  return 1;
}

int flota_http_read(struct http *http, uint8_t *data, size_t capacity) {
  if (!is_wanted(http)) return 0;
  /* Before the ring is emptied: what was passed on before the end is read before the end is told. */
  const int phase = atomic_load(&http->phase);
  const size_t bytes = xStreamBufferReceive(http->body, data, capacity, 0);
  if (bytes > 0) return (int)bytes;
  if (phase == HTTP_ENDED) return OTA_ERR_ABSENT;
  return phase == HTTP_BROKEN ? OTA_ERR_NETWORK : 0;
}

/* Cut off by wanting nothing in its place; the task notices within TIMEOUT_MS. */
void flota_http_end(struct http *http, bool keep) {
  if (keep || !is_wanted(http) || atomic_load(&http->phase) >= HTTP_ENDED) return;
  http->wanted_request.url[0] = '\0';
  want(http);
}
