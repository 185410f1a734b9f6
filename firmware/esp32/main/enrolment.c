#include "enrolment.h"

#include <stdio.h>
#include <string.h>

#include "cJSON.h"
#include "esp_heap_caps.h"
#include "esp_http_client.h"

enum { CSR_BYTES = 1024, ANSWER_BYTES = 12 * 1024, TIMEOUT_MS = 30000 };

/* PEM has no character that JSON escapes but the line's end. */
static int write_body(const char *csr, char *body, size_t capacity) {
  size_t size = (size_t)snprintf(body, capacity, "{\"csr\":\"");
  for (; *csr; csr++) {
    if (size + 5 > capacity) return OTA_ERR_SPACE;
    if (*csr == '\r') continue;
    if (*csr == '\n') body[size++] = '\\';
    body[size++] = *csr == '\n' ? 'n' : *csr;
  }
  memcpy(body + size, "\"}", 3);
  return OTA_OK;
}

static int send_request(esp_http_client_handle_t client, const char *body, char *answer) {
  const int size = (int)strlen(body);
  if (esp_http_client_open(client, size) != ESP_OK) return OTA_ERR_NETWORK;
  if (esp_http_client_write(client, body, size) != size) return OTA_ERR_NETWORK;
  if (esp_http_client_fetch_headers(client) < 0) return OTA_ERR_NETWORK;
  int total = 0;
  for (;;) {
    const int bytes = esp_http_client_read(client, answer + total, ANSWER_BYTES - 1 - total);
    if (bytes < 0) return OTA_ERR_NETWORK;
    if (bytes == 0) break;
    total += bytes;
  }
  if (!esp_http_client_is_complete_data_received(client)) return OTA_ERR_NETWORK;
  answer[total] = '\0';
  const int status = esp_http_client_get_status_code(client);
  if (status >= 200 && status < 300) return OTA_OK;
  return status >= 500 || status == 429 ? OTA_ERR_NETWORK : OTA_ERR_CERTIFICATE;
}

static int post(const struct settings *settings, const char *body, char *answer) {
  const esp_http_client_config_t config = {.url = settings->enroll_url,
                                           .method = HTTP_METHOD_POST,
                                           .cert_pem = settings->trust,
                                           .timeout_ms = TIMEOUT_MS,
                                           .disable_auto_redirect = true,
                                           .buffer_size = 2048,
                                           .buffer_size_tx = 2048};
  esp_http_client_handle_t client = esp_http_client_init(&config);
  if (!client) return OTA_ERR_SPACE;
  char authorization[160];
  (void)snprintf(authorization, sizeof authorization, "Bearer %s", settings->token);
  int error = OTA_ERR_SPACE;
  if (esp_http_client_set_header(client, "Authorization", authorization) == ESP_OK &&
      esp_http_client_set_header(client, "Content-Type", "application/json") == ESP_OK)
    error = send_request(client, body, answer);
  (void)esp_http_client_cleanup(client);
  return error;
}

static int store_answer(struct identity *identity, const char *answer) {
  cJSON *json = cJSON_Parse(answer);
  const char *certificate = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "certificate"));
  const char *chain = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "chain"));
  int error = OTA_ERR_CERTIFICATE;
  if (certificate && chain) error = identity_store(identity, OTA_PAIR_CURRENT, certificate, chain);
  cJSON_Delete(json);
  return error;
}

int enrolment_run(struct identity *identity, const struct settings *settings) {
  char *memory = heap_caps_malloc(CSR_BYTES + 2 * CSR_BYTES + ANSWER_BYTES, MALLOC_CAP_SPIRAM);
  if (!memory) return OTA_ERR_SPACE;
  char *csr = memory;
  char *body = csr + CSR_BYTES;
  char *answer = body + (size_t)2 * CSR_BYTES;
  int error = identity_request(identity, OTA_PAIR_CURRENT, csr, CSR_BYTES);
  if (!error) error = write_body(csr, body, (size_t)2 * CSR_BYTES);
  if (!error) error = post(settings, body, answer);
  if (!error) error = store_answer(identity, answer);
  heap_caps_free(memory);
  return error;
}
