#include "connection.h"

#include <lwip/dns.h>
#include <lwip/netif.h>
#include <mbedtls/net_sockets.h>
#include <stdlib.h>
#include <string.h>

static void on_failure(void *ctx, err_t error) {
  struct connection *it = ctx;
  (void)error;
  // lwIP has freed it already.
  it->tcp = NULL;
  if (it->state != CONNECTION_OPEN) it->state = CONNECTION_BROKEN;
}

static err_t on_received(void *ctx, struct tcp_pcb *tcp, struct pbuf *packet, err_t error) {
  struct connection *it = ctx;
  (void)tcp;
  (void)error;
  if (!packet) it->ended = true;
  else if (it->received) pbuf_cat(it->received, packet);
  else it->received = packet;
  it->heard = it->heard || packet;
  return ERR_OK;
}

static err_t on_connected(void *ctx, struct tcp_pcb *tcp, err_t error) {
  struct connection *it = ctx;
  (void)tcp;
  it->state = error != ERR_OK ? CONNECTION_BROKEN : it->plain ? CONNECTION_OPEN : CONNECTION_GREETING;
  return ERR_OK;
}

static int take(struct connection *it, void *data, size_t capacity) {
  if (!it->received) return 0;
  uint16_t most = capacity < UINT16_MAX ? (uint16_t)capacity : UINT16_MAX;
  uint16_t bytes = pbuf_copy_partial(it->received, data, most, 0);
  it->received = pbuf_free_header(it->received, bytes);
  if (it->tcp) tcp_recved(it->tcp, bytes);
  return bytes;
}

static int give(struct connection *it, const void *data, size_t bytes) {
  if (!it->tcp) return CONNECTION_FAILED;
  size_t room = tcp_sndbuf(it->tcp);
  if (bytes > room) bytes = room;
  if (bytes == 0) return 0;
  err_t error = tcp_write(it->tcp, data, (uint16_t)bytes, TCP_WRITE_FLAG_COPY);
  if (error == ERR_MEM) return 0;
  return error == ERR_OK && tcp_output(it->tcp) == ERR_OK ? (int)bytes : CONNECTION_FAILED;
}

static int tls_take(void *ctx, unsigned char *data, size_t capacity) {
  struct connection *it = ctx;
  int bytes = take(it, data, capacity);
  if (bytes > 0) return bytes;
  if (it->ended) return 0;
  return it->tcp ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_NET_CONN_RESET;
}

static int tls_give(void *ctx, const unsigned char *data, size_t bytes) {
  int given = give(ctx, data, bytes);
  if (given == 0) return MBEDTLS_ERR_SSL_WANT_WRITE;
  return given > 0 ? given : MBEDTLS_ERR_NET_CONN_RESET;
}

static bool wants_more(int result) { return result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE; }

static void connect_to(struct connection *it, const ip_addr_t *address) {
  it->tcp = tcp_new();
  if (!it->tcp) {
    it->state = CONNECTION_BROKEN;
    return;
  }
  it->state = CONNECTION_CONNECTING;
  tcp_arg(it->tcp, it);
  tcp_err(it->tcp, on_failure);
  tcp_recv(it->tcp, on_received);
  if (tcp_connect(it->tcp, address, it->port, on_connected) != ERR_OK) it->state = CONNECTION_BROKEN;
}

/** This machine is the emulator's guest: what is local to whoever started it is behind the gateway. The name that is verified stays. */
static bool is_local(const char *name) { return strcmp(name, "localhost") == 0 || strcmp(name, "127.0.0.1") == 0; }

static void resolve(struct connection *it) {
  ip_addr_t address;
  if (ip4_addr_isany_val(*netif_ip4_addr(netif_default))) return;
  if (is_local(it->name)) {
    ip_addr_copy_from_ip4(address, *netif_ip4_gw(netif_default));
    connect_to(it, &address);
    return;
  }
  // Asked at each poll: lwIP remembers what it has asked for, and what it was told.
  err_t error = dns_gethostbyname(it->name, &address, NULL, NULL);
  if (error == ERR_OK) connect_to(it, &address);
  else if (error != ERR_INPROGRESS) it->state = CONNECTION_BROKEN;
}

static bool read_certificates(mbedtls_x509_crt *chain, const char *text) {
  return text && mbedtls_x509_crt_parse(chain, (const unsigned char *)text, strlen(text) + 1) == 0;
}

/** Mbed TLS 2.28 compares names only (mbedtls_x509_crt_verify); an address is a iPAddress of RFC 5280, 4.2.1.6. */
static int verify_address(void *ctx, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
  const struct connection *it = ctx;
  ip4_addr_t address;
  if (depth > 0 || !(*flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) || !ip4addr_aton(it->name, &address)) return 0;
  for (const mbedtls_x509_sequence *name = &certificate->subject_alt_names; name; name = name->next)
    if ((name->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == 7 && name->buf.len == sizeof address &&
        memcmp(name->buf.p, &address, sizeof address) == 0)
      *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
  return 0;
}

static bool prepare(struct connection *it, const char *trust, const char *identity) {
  mbedtls_ssl_config *config = &it->config;
  char *roots = board_read_text(trust);
  char *own = identity ? board_read_text(identity) : NULL;
  bool good = read_certificates(&it->roots, roots) &&
              mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                          MBEDTLS_SSL_PRESET_DEFAULT) == 0;
  if (good && identity)
    good = read_certificates(&it->own, own) &&
           mbedtls_pk_parse_key(&it->key, (const unsigned char *)own, strlen(own) + 1, NULL, 0) == 0 &&
           mbedtls_ssl_conf_own_cert(config, &it->own, &it->key) == 0;
  free(roots);
  free(own);
  if (!good) return false;
  mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(config, &it->roots, NULL);
  mbedtls_ssl_conf_verify(config, verify_address, it);
  mbedtls_ssl_conf_rng(config, board_drbg, NULL);
  if (mbedtls_ssl_setup(&it->tls, config) != 0 || mbedtls_ssl_set_hostname(&it->tls, it->name) != 0) return false;
  mbedtls_ssl_set_bio(&it->tls, it, tls_give, tls_take, NULL);
  return true;
}

int connection_begin(struct connection *it, const char *name, uint16_t port, const char *trust, const char *identity,
                     bool plain) {
  connection_end(it);
  if (strlen(name) >= sizeof it->name) return OTA_ERR_NETWORK;
  strcpy(it->name, name);
  it->port = port;
  it->plain = plain;
  mbedtls_ssl_init(&it->tls);
  mbedtls_ssl_config_init(&it->config);
  mbedtls_x509_crt_init(&it->roots);
  mbedtls_x509_crt_init(&it->own);
  mbedtls_pk_init(&it->key);
  it->state = CONNECTION_RESOLVING;
  if (plain || prepare(it, trust, identity)) return OTA_OK;
  connection_end(it);
  return OTA_ERR_NETWORK;
}

enum connection_state connection_poll(struct connection *it) {
  board_poll_network();
  if (it->state == CONNECTION_RESOLVING) resolve(it);
  if (it->state == CONNECTION_GREETING) {
    int result = mbedtls_ssl_handshake(&it->tls);
    if (result == 0) it->state = CONNECTION_OPEN;
    else if (!wants_more(result)) it->state = CONNECTION_BROKEN;
  }
  return it->state;
}

int connection_read(struct connection *it, void *data, size_t capacity) {
  if (it->state != CONNECTION_OPEN) return CONNECTION_FAILED;
  if (it->plain) {
    int bytes = take(it, data, capacity);
    if (bytes > 0) return bytes;
    return it->ended ? CONNECTION_ENDED : it->tcp ? 0 : CONNECTION_FAILED;
  }
  int result = mbedtls_ssl_read(&it->tls, data, capacity);
  if (result > 0) return result;
  if (wants_more(result)) return 0;
  return result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? CONNECTION_ENDED : CONNECTION_FAILED;
}

int connection_write(struct connection *it, const void *data, size_t bytes) {
  if (it->state != CONNECTION_OPEN) return CONNECTION_FAILED;
  if (it->plain) return give(it, data, bytes);
  if (it->pending > 0) bytes = it->pending;
  int result = mbedtls_ssl_write(&it->tls, data, bytes);
  it->pending = wants_more(result) ? bytes : 0;
  if (result >= 0) return result;
  return wants_more(result) ? 0 : CONNECTION_FAILED;
}

void connection_end(struct connection *it) {
  if (it->state == CONNECTION_NONE) return;
  if (it->state == CONNECTION_OPEN && !it->plain) (void)mbedtls_ssl_close_notify(&it->tls);
  if (it->tcp) {
    tcp_arg(it->tcp, NULL);
    tcp_err(it->tcp, NULL);
    tcp_recv(it->tcp, NULL);
    if (tcp_close(it->tcp) != ERR_OK) tcp_abort(it->tcp);
  }
  if (it->received) (void)pbuf_free(it->received);
  mbedtls_ssl_free(&it->tls);
  mbedtls_ssl_config_free(&it->config);
  mbedtls_x509_crt_free(&it->roots);
  mbedtls_x509_crt_free(&it->own);
  mbedtls_pk_free(&it->key);
  *it = (struct connection){0};
}
