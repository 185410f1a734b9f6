/** libcurl's multi interface: one connection, kept alive, read as fast as the agent takes it. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "../agent/ota_http.h"
#include "host.h"
#include "mqtt.h"

enum { buffer_bytes = 256 * 1024 };

struct host_http {
  CURLM *multi;
  CURL *easy;
  struct curl_slist *headers;
  struct ota_http_head head;
  bool head_complete, finished, failed, paused;
  size_t from, to;
  uint8_t buffer[buffer_bytes];
};

static size_t on_header(char *line, size_t size, size_t count, void *ctx) {
  struct host_http *http = ctx;
  size_t bytes = size * count;
  if (bytes > 9 && memcmp(line, "HTTP/", 5) == 0) {
    const char *space = memchr(line, ' ', bytes);
    ota_http_head_begin(&http->head, space ? (int)strtol(space, NULL, 10) : 0);
  } else if (bytes <= 2) {
    // 1xx answers are followed by the real one.
    http->head_complete = http->head.status >= 200;
  } else {
    const char *colon = memchr(line, ':', bytes);
    if (colon) {
      size_t name = (size_t)(colon - line);
      ota_http_head_field(&http->head, line, name, colon + 1, bytes - name - 1);
    }
  }
  return bytes;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx) {
  struct host_http *http = ctx;
  size_t bytes = size * count;
  if (http->to + bytes > buffer_bytes && http->from > 0) {
    memmove(http->buffer, http->buffer + http->from, http->to - http->from);
    http->to -= http->from;
    http->from = 0;
  }
  if (http->to + bytes > buffer_bytes) {
    http->paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  memcpy(http->buffer + http->to, data, bytes);
  http->to += bytes;
  return bytes;
}

static void run(struct host_http *http) {
  int running = 0;
  int left = 0;
  if (curl_multi_perform(http->multi, &running) != CURLM_OK) http->failed = true;
  for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left));) {
    if (message->msg != CURLMSG_DONE) continue;
    http->finished = true;
    http->failed = message->data.result != CURLE_OK;
  }
}

static int http_get(void *ctx, const char *url, uint32_t from, uint32_t to) {
  struct host_http *http = ((struct host *)ctx)->http;
  char range[32];
  (void)snprintf(range, sizeof range, "%u-%u", from, to - 1);
  ota_http_head_begin(&http->head, 0);
  http->head_complete = http->finished = http->failed = http->paused = false;
  http->from = http->to = 0;
  curl_easy_setopt(http->easy, CURLOPT_URL, url);
  curl_easy_setopt(http->easy, CURLOPT_RANGE, to == 0 ? NULL : range);
  if (curl_multi_add_handle(http->multi, http->easy) != CURLM_OK) return OTA_ERR_NETWORK;
  run(http);
  return OTA_OK;
}

static int http_head(void *ctx, struct ota_http_head *head) {
  struct host_http *http = ((struct host *)ctx)->http;
  run(http);
  if (!http->head_complete) return http->finished || http->failed ? OTA_ERR_NETWORK : 0;
  *head = http->head;
  return 1;
}

static int http_read(void *ctx, uint8_t *data, size_t capacity) {
  struct host_http *http = ((struct host *)ctx)->http;
  if (http->from == http->to && !http->finished) run(http);
  size_t bytes = http->to - http->from;
  if (bytes == 0) {
    if (http->finished) return http->failed ? OTA_ERR_NETWORK : OTA_ERR_ABSENT;
    return http->failed ? OTA_ERR_NETWORK : 0;
  }
  if (bytes > capacity) bytes = capacity;
  memcpy(data, http->buffer + http->from, bytes);
  http->from += bytes;
  if (http->from == http->to) http->from = http->to = 0;
  if (http->paused && http->to == 0) {
    http->paused = false;
    curl_easy_pause(http->easy, CURLPAUSE_CONT);
  }
  return (int)bytes;
}

static void http_end(void *ctx, bool keep) {
  struct host_http *http = ((struct host *)ctx)->http;
  (void)keep;
  // Taking away a transfer that is not over closes its connection.
  curl_multi_remove_handle(http->multi, http->easy);
}

int host_http_open(struct host *host) {
  struct host_http *http = calloc(1, sizeof *http);
  host->http = http;
  if (!http) return OTA_ERR_NETWORK;
  http->multi = curl_multi_init();
  http->easy = curl_easy_init();
  http->headers = curl_slist_append(NULL, "Accept-Encoding: identity");
  if (!http->multi || !http->easy) return OTA_ERR_NETWORK;
  curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, 1L);
  curl_easy_setopt(http->easy, CURLOPT_CAINFO, host->options.trust);
  curl_easy_setopt(http->easy, CURLOPT_CAPATH, NULL);
  curl_easy_setopt(http->easy, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(http->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, http->headers);
  curl_easy_setopt(http->easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(http->easy, CURLOPT_HEADERDATA, http);
  curl_easy_setopt(http->easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(http->easy, CURLOPT_WRITEDATA, http);
  curl_easy_setopt(http->easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(http->easy, CURLOPT_PROXY, "");
  return OTA_OK;
}

void host_http_close(struct host *host) {
  struct host_http *http = host->http;
  curl_multi_remove_handle(http->multi, http->easy);
  curl_easy_cleanup(http->easy);
  curl_multi_cleanup(http->multi);
  curl_slist_free_all(http->headers);
  free(http);
  host->http = NULL;
}

void host_wait(struct host *host, uint32_t most_ms) {
  bool wants_write = false;
  struct curl_waitfd broker = {.fd = host_mqtt_socket(host, &wants_write)};
  broker.events = (short)(CURL_WAIT_POLLIN | (wants_write ? CURL_WAIT_POLLOUT : 0));
  curl_multi_poll(host->http->multi, &broker, broker.fd >= 0 ? 1 : 0, (int)(most_ms < 1000 ? most_ms : 1000), NULL);
}

void host_fill_http(struct ota_port *port) {
  port->http_get = http_get;
  port->http_head = http_head;
  port->http_read = http_read;
  port->http_end = http_end;
}

struct answer {
  char *text;
  size_t capacity, bytes;
};

static size_t collect(char *data, size_t size, size_t count, void *ctx) {
  struct answer *answer = ctx;
  if (size * count >= answer->capacity - answer->bytes) return 0;
  memcpy(answer->text + answer->bytes, data, size * count);
  answer->bytes += size * count;
  answer->text[answer->bytes] = '\0';
  return size * count;
}

long host_post(struct host *host, const char *url, const char *body, char *answer, size_t capacity, const char **problem) {
  static char why[CURL_ERROR_SIZE];
  struct answer into = {.text = answer, .capacity = capacity};
  char token[1024];
  long status = 0;
  answer[0] = '\0';
  *problem = why;
  (void)snprintf(token, sizeof token, "Authorization: Bearer %s", host->options.token);
  CURL *curl = curl_easy_init();
  struct curl_slist *headers = curl_slist_append(curl_slist_append(NULL, token), "Content-Type: application/json");
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &into);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
  if (host->options.enroll_trust) curl_easy_setopt(curl, CURLOPT_CAINFO, host->options.enroll_trust);
  if (curl_easy_perform(curl) == CURLE_OK) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  return status;
}
