/** One TCP connection of lwIP with TLS of Mbed TLS over it; nothing of it blocks. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <lwip/ip_addr.h>
#include <lwip/pbuf.h>
#include <lwip/tcp.h>
#include <mbedtls/ssl.h>

#include "board.h"

enum { connection_name_max = 128 };

enum connection_state {
  CONNECTION_NONE = 0,
  CONNECTION_RESOLVING,
  CONNECTION_CONNECTING,
  CONNECTION_GREETING, /* the TLS handshake */
  CONNECTION_OPEN,
  CONNECTION_BROKEN,
};

enum { CONNECTION_ENDED = -1, CONNECTION_FAILED = -2 };

struct connection {
  enum connection_state state;
  /** Whom the certificate must name. */
  char name[connection_name_max];
  uint16_t port;
  bool plain, ended, heard;
  struct tcp_pcb *tcp;
  struct pbuf *received;
  /** Bytes that were given to TLS and wait for room. */
  size_t pending;
  mbedtls_ssl_context tls;
  mbedtls_ssl_config config;
  mbedtls_x509_crt roots, own;
  mbedtls_pk_context key;
};

/**
 * Begins. `trust`: path of the roots. `identity`: path of certificate, chain and key, or null for none. `plain`: without TLS.
 * OTA_ERR_NETWORK when they cannot be read.
 */
int connection_begin(struct connection *it, const char *name, uint16_t port, const char *trust, const char *identity,
                     bool plain);
enum connection_state connection_poll(struct connection *it);
/** Bytes, 0: none yet, CONNECTION_ENDED: closed as it should be, CONNECTION_FAILED. */
int connection_read(struct connection *it, void *data, size_t capacity);
/** Bytes taken, 0: no room yet (then the same bytes must be given again), CONNECTION_FAILED. */
int connection_write(struct connection *it, const void *data, size_t bytes);
/** Also of one that never began, if it is all zero. */
void connection_end(struct connection *it);

#endif
