/** HTTP/1.1 over one connection that is kept (RFC 9112): ranged GETs for the agent, and one POST to enrol. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../agent/ota_http.h"
#include "connection.h"

enum { request_max = 12 * 1024, in_bytes = 16 * 1024, line_max = 4096, answer_ms = 30000 };

enum body { BODY_SIZED, BODY_CHUNKED, BODY_UNTIL_END };

struct host_http {
  struct connection connection;
  char authority[connection_name_max];
  const char *trust;
  bool plain;
  char request[request_max];
  size_t request_bytes, sent;
  struct ota_http_head head;
  bool complete, finished, failed, kept;
  enum body body;
  /** Of the body, or of its chunk. */
  uint64_t left;
  char line[line_max];
  size_t line_bytes;
  uint8_t in[in_bytes];
  size_t in_from, in_to;
};

/** 1: there is something to take, 0: not yet, or why there will not be. */
static int fill(struct host_http *http) {
  if (http->in_from < http->in_to) return 1;
  int bytes = connection_read(&http->connection, http->in, sizeof http->in);
  http->in_from = 0;
  http->in_to = bytes > 0 ? (size_t)bytes : 0;
  return bytes > 0 ? 1 : bytes;
}

/** The next line, without its end, is in `line`: 1, 0: not yet, or why it will not be. */
static int read_line(struct host_http *http) {
  for (;;) {
    int more = fill(http);
    if (more <= 0) return more;
    char next = (char)http->in[http->in_from++];
    if (next == '\n') break;
    if (http->line_bytes + 1 >= sizeof http->line) return CONNECTION_FAILED;
    http->line[http->line_bytes++] = next;
  }
  if (http->line_bytes > 0 && http->line[http->line_bytes - 1] == '\r') http->line_bytes--;
  http->line[http->line_bytes] = '\0';
  http->line_bytes = 0;
  return 1;
}

static bool has_prefix(const char *text, const char *prefix) { return strncasecmp(text, prefix, strlen(prefix)) == 0; }

/** One line of the head. The empty one ends it, but not that of a 1xx. */
static void read_field(struct host_http *http) {
  char *line = http->line;
  char *colon = strchr(line, ':');
  if (has_prefix(line, "HTTP/1.")) {
    char *space = strchr(line, ' ');
    ota_http_head_begin(&http->head, space ? (int)strtol(space, NULL, 10) : 0);
    http->body = BODY_UNTIL_END;
  } else if (line[0] == '\0') {
    http->complete = http->head.status >= 200;
    if (http->body != BODY_CHUNKED && http->head.has_length) http->body = BODY_SIZED;
    http->left = http->body == BODY_SIZED ? http->head.length : 0;
    http->finished = http->body == BODY_SIZED && http->left == 0;
  } else if (colon) {
    ota_http_head_field(&http->head, line, (size_t)(colon - line), colon + 1, strlen(colon + 1));
    if (has_prefix(line, "transfer-encoding:") && strstr(line, "chunked")) http->body = BODY_CHUNKED;
  }
}

static bool connect_anew(struct host_http *http) {
  char name[connection_name_max];
  strcpy(name, http->authority);
  char *colon = strrchr(name, ':');
  unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : http->plain ? 80 : 443;
  if (colon) *colon = '\0';
  http->kept = false;
  http->sent = 0;
  return port > 0 && port <= UINT16_MAX &&
         connection_begin(&http->connection, name, (uint16_t)port, http->trust, NULL, http->plain) == OTA_OK;
}

/** Sends what is in `request` to where `url` points, over the connection that is there if it leads to it. */
static int begin(struct host_http *http, const char *url, const char *trust) {
  bool plain = has_prefix(url, "http://");
  const char *authority = strstr(url, "://") + 3;
  size_t bytes = strcspn(authority, "/?#");
  if (bytes == 0 || bytes >= sizeof http->authority) return OTA_ERR_NETWORK;
  bool same = strncmp(http->authority, authority, bytes) == 0 && http->authority[bytes] == '\0';
  memcpy(http->authority, authority, bytes);
  http->authority[bytes] = '\0';
  http->plain = plain;
  http->trust = trust;
  http->complete = http->finished = http->failed = false;
  http->line_bytes = http->in_from = http->in_to = 0;
  http->sent = 0;
  http->kept = http->kept && same && http->connection.state == CONNECTION_OPEN;
  return http->kept || connect_anew(http) ? OTA_OK : OTA_ERR_NETWORK;
}

/** Path and query; "/" when there is none. */
static const char *path_of(const char *url) {
  const char *path = strchr(strstr(url, "://") + 3, '/');
  return path ? path : "/";
}

static void run(struct host_http *http) {
  enum connection_state state = connection_poll(&http->connection);
  int got = state == CONNECTION_BROKEN || state == CONNECTION_NONE ? CONNECTION_FAILED : 0;
  while (state == CONNECTION_OPEN && got == 0 && http->sent < http->request_bytes) {
    got = connection_write(&http->connection, http->request + http->sent, http->request_bytes - http->sent);
    if (got == 0) return;
    if (got > 0) http->sent += (size_t)got;
    got = got > 0 ? 0 : got;
  }
  bool asked = state == CONNECTION_OPEN && http->sent == http->request_bytes;
  while (got == 0 && asked && !http->complete) {
    got = read_line(http);
    if (got == 0) return;
    if (got < 0) break;
    got = 0;
    http->kept = false;
    read_field(http);
  }
  if (got >= 0) return;
  // A connection that was kept may have been closed at the other end meanwhile.
  if (!http->kept || !connect_anew(http)) http->failed = true;
}

static int http_get(void *ctx, const char *url, uint32_t from, uint32_t to) {
  struct host *host = ctx;
  struct host_http *http = host->http;
  char range[64] = "";
  if (!has_prefix(url, "https://")) return OTA_ERR_NETWORK;
  if (to > 0)
    (void)snprintf(range, sizeof range, "Range: bytes=%lu-%lu\r\n", (unsigned long)from, (unsigned long)to - 1);
  const char *authority = url + strlen("https://");
  int bytes = snprintf(http->request, sizeof http->request,
                       "GET %s HTTP/1.1\r\nHost: %.*s\r\n%sAccept-Encoding: identity\r\n\r\n", path_of(url),
                       (int)strcspn(authority, "/?#"), authority, range);
  if (bytes <= 0 || bytes >= request_max) return OTA_ERR_NETWORK;
  http->request_bytes = (size_t)bytes;
  return begin(http, url, host->options.trust);
}

static int http_head(void *ctx, struct ota_http_head *head) {
  struct host_http *http = ((struct host *)ctx)->http;
  if (!http->complete) run(http);
  if (!http->complete) return http->failed ? OTA_ERR_NETWORK : 0;
  *head = http->head;
  return 1;
}

/** The size of the next chunk is read. 1, 0: not yet, or why not. */
static int read_chunk_size(struct host_http *http) {
  int got = read_line(http);
  if (got <= 0) return got;
  // The line that ends a chunk.
  if (http->line[0] == '\0') return read_chunk_size(http);
  char *end = http->line;
  http->left = strtoul(http->line, &end, 16);
  if (end == http->line) return CONNECTION_FAILED;
  http->finished = http->left == 0;
  return 1;
}

static int http_read(void *ctx, uint8_t *data, size_t capacity) {
  struct host_http *http = ((struct host *)ctx)->http;
  (void)connection_poll(&http->connection);
  int got = 1;
  if (!http->finished && http->body == BODY_CHUNKED && http->left == 0) got = read_chunk_size(http);
  if (http->finished) return OTA_ERR_ABSENT;
  if (got > 0) got = fill(http);
  if (got == CONNECTION_ENDED && http->body == BODY_UNTIL_END) return OTA_ERR_ABSENT;
  if (got <= 0) return got == 0 ? 0 : OTA_ERR_NETWORK;
  size_t bytes = http->in_to - http->in_from;
  if (bytes > capacity) bytes = capacity;
  if (http->body != BODY_UNTIL_END && bytes > http->left) bytes = (size_t)http->left;
  memcpy(data, http->in + http->in_from, bytes);
  http->in_from += bytes;
  if (http->body != BODY_UNTIL_END) http->left -= bytes;
  http->finished = http->body == BODY_SIZED && http->left == 0;
  return (int)bytes;
}

static void http_end(void *ctx, bool keep) {
  struct host_http *http = ((struct host *)ctx)->http;
  // The line that ends the last chunk is left: such a connection serves nothing else.
  http->kept = keep && http->finished && http->body == BODY_SIZED;
  if (!http->kept) connection_end(&http->connection);
}

long host_post(struct host *host, const char *url, const char *body, char *answer, size_t capacity, const char **problem) {
  struct host_http *http = host->http;
  const char *authority = strstr(url, "://");
  *problem = "not a URL";
  if (!authority) return 0;
  authority += 3;
  int bytes = snprintf(http->request, sizeof http->request,
                       "POST %s HTTP/1.1\r\nHost: %.*s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
                       "Accept-Encoding: identity\r\nContent-Length: %u\r\n\r\n%s",
                       path_of(url), (int)strcspn(authority, "/?#"), authority, host->options.token,
                       (unsigned)strlen(body), body);
  *problem = "the request is too large";
  if (bytes <= 0 || bytes >= request_max) return 0;
  http->request_bytes = (size_t)bytes;
  *problem = "no connection";
  const char *trust = host->options.enroll_trust ? host->options.enroll_trust : host->options.trust;
  if (begin(http, url, trust) != OTA_OK) return 0;
  size_t got = 0;
  int more = 0;
  uint64_t began = host_monotonic_ms();
  while (more >= 0 && got + 1 < capacity && !http->failed && host_monotonic_ms() - began < answer_ms) {
    if (!http->complete) run(http);
    more = http->complete ? http_read(host, (uint8_t *)answer + got, capacity - 1 - got) : 0;
    if (more > 0) got += (size_t)more;
    if (more == 0) board_sleep();
  }
  answer[got] = '\0';
  bool whole = http->complete && more == OTA_ERR_ABSENT;
  int status = http->head.status;
  http_end(host, false);
  *problem = "the answer did not come whole";
  return whole ? status : 0;
}

int host_http_open(struct host *host) {
  host->http = calloc(1, sizeof *host->http);
  return host->http ? OTA_OK : OTA_ERR_NETWORK;
}

void host_http_close(struct host *host) {
  connection_end(&host->http->connection);
  free(host->http);
  host->http = NULL;
}

void host_fill_http(struct ota_port *port) {
  port->http_get = http_get;
  port->http_head = http_head;
  port->http_read = http_read;
  port->http_end = http_end;
}
