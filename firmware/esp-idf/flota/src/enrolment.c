#include "enrolment.h"

#include <stdio.h>
#include <string.h>

#include "esp_http_client.h"
#include "esp_log.h"
#include "buffers.h"
#include "ota_json.h"

enum { CSR_BYTES = 1024, ANSWER_BYTES = 12 * 1024, TIMEOUT_MS = 20000 };

static const char tag[] = "flota";

/* All that one attempt needs. */
struct enrolment {
  char csr[CSR_BYTES];
  char body[2 * CSR_BYTES];
  char answer[ANSWER_BYTES];
  struct ota_json json;
};

/* A member of the answer, or NULL. */
static const char *text_of(struct ota_json *json, const char *name) {
  const int member = ota_json_member(json, 0, name);
  return member < 0 ? NULL : ota_json_string(json, member);
}

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

/* RFC 9457: what the server says of its refusal, in its own words. */
static void say_refusal(struct enrolment *it, size_t bytes, int status) {
  const char *detail = ota_json_object(&it->json, it->answer, bytes) == OTA_OK ? text_of(&it->json, "detail") : NULL;
  ESP_LOGE(tag, "enrolment refused (HTTP %d): %s", status, detail ? detail : "is the token fresh, and for this device's id?");
}

/* Bytes of the answer, or negative. */
static int receive(esp_http_client_handle_t client, char *answer) {
  int total = 0;
  for (;;) {
    const int bytes = esp_http_client_read(client, answer + total, ANSWER_BYTES - 1 - total);
    if (bytes < 0) return OTA_ERR_NETWORK;
    if (bytes == 0) break;
    total += bytes;
  }
  answer[total] = '\0';
  return esp_http_client_is_complete_data_received(client) ? total : OTA_ERR_NETWORK;
}

static int send_request(esp_http_client_handle_t client, struct enrolment *it) {
  const int size = (int)strlen(it->body);
  if (esp_http_client_open(client, size) != ESP_OK) return OTA_ERR_NETWORK;
  if (esp_http_client_write(client, it->body, size) != size) return OTA_ERR_NETWORK;
  if (esp_http_client_fetch_headers(client) < 0) return OTA_ERR_NETWORK;
  const int bytes = receive(client, it->answer);
  if (bytes < 0) return bytes;
  const int status = esp_http_client_get_status_code(client);
  if (status >= 200 && status < 300) return bytes;
  if (status >= 500 || status == 429) return OTA_ERR_NETWORK;
  say_refusal(it, (size_t)bytes, status);
  return OTA_ERR_CERTIFICATE;
}

static int post(const struct settings *settings, struct enrolment *it) {
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
    error = send_request(client, it);
  (void)esp_http_client_cleanup(client);
  return error;
}

static int store_answer(struct identity *identity, struct enrolment *it, size_t bytes) {
  int error = OTA_ERR_CERTIFICATE;
  if (ota_json_object(&it->json, it->answer, bytes) == OTA_OK) {
    const char *certificate = text_of(&it->json, "certificate");
    const char *chain = text_of(&it->json, "chain");
    if (certificate && chain) error = flota_identity_store(identity, OTA_PAIR_CURRENT, certificate, chain);
  }
  if (error == OTA_ERR_CERTIFICATE) ESP_LOGE(tag, "enrolment: the answer holds no certificate for this device (%s) and its key", identity->id);
  return error;
}

int flota_enrolment_run(struct identity *identity, const struct settings *settings) {
  struct enrolment *it = memory_take(sizeof *it);
  if (!it) return OTA_ERR_SPACE;
  int error = flota_identity_first_request(identity, it->csr, sizeof it->csr);
  if (!error) error = write_body(it->csr, it->body, sizeof it->body);
  const int bytes = error ? error : post(settings, it);
  error = bytes < 0 ? bytes : store_answer(identity, it, (size_t)bytes);
  heap_caps_free(it);
  return error;
}
