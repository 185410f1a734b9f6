/*
 * Ranged GETs over HTTPS: esp_http_client in a task of its own, one kept-alive connection, the body through a ring. The
 * functions are the port's http_… callbacks and never wait.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdatomic.h>

#include "esp_http_client.h"
#include "freertos/FreeRTOS.h"
#include "freertos/stream_buffer.h"
#include "freertos/task.h"
#include "ota_http.h"
#include "ota_port.h"

enum http_phase { HTTP_WAITING, HTTP_BODY, HTTP_ENDED, HTTP_BROKEN };

struct http_request {
  char url[OTA_URL_MAX + 1];
  uint32_t from, to;
};

struct http {
  const char *trust; /* PEM */
  esp_http_client_handle_t client;
  TaskHandle_t task;
  StreamBufferHandle_t body;
  uint8_t *block;
  bool kept; /* the connection of the last answer is still open, as far as is known */
  /* Of the agent's task; the other side copies it when it begins with it. */
  struct http_request wanted_request;
  struct ota_http_head head;
  /* Requests are numbered. Head, phase and body belong to the one that is served, and are read only when it is the wanted one. */
  atomic_uint wanted, served;
  atomic_int phase;
};

/* 0 or OTA_ERR_SPACE. */
int flota_http_start(struct http *http);
int flota_http_get(struct http *http, const char *url, uint32_t from, uint32_t to);
int flota_http_head(struct http *http, struct ota_http_head *head);
int flota_http_read(struct http *http, uint8_t *data, size_t capacity);
void flota_http_end(struct http *http, bool keep);

#endif
