/** SHA-256 of what the agent gives, and of files. */
#include "host.h"

enum { block_bytes = 65536 };

static int sha256_start(void *ctx) {
  struct host *host = ctx;
  uint8_t unwanted[OTA_SHA256_BYTES];
  // One that was given up, when a cancel stopped it.
  if (host->hash) (void)host_hash_end(host->hash, unwanted);
  host->hash = host_hash_new();
  return host->hash ? OTA_OK : OTA_ERR_STORAGE;
}

static int sha256_update(void *ctx, const uint8_t *data, size_t bytes) {
  return host_hash_update(((struct host *)ctx)->hash, data, bytes);
}

static int sha256_finish(void *ctx, uint8_t digest[OTA_SHA256_BYTES]) {
  struct host *host = ctx;
  int error = host_hash_end(host->hash, digest);
  host->hash = NULL;
  return error;
}

int host_measure(struct host *host, const char *name, uint32_t size, uint8_t digest[OTA_SHA256_BYTES]) {
  static uint8_t block[block_bytes];
  void *hash = host_hash_new();
  if (!hash) return OTA_ERR_STORAGE;
  int error = OTA_OK;
  for (uint32_t offset = 0; error == OTA_OK && offset < size;) {
    uint32_t bytes = size - offset < block_bytes ? size - offset : block_bytes;
    error = host_read_at(host, name, offset, block, bytes);
    if (error == OTA_OK) error = host_hash_update(hash, block, bytes);
    offset += bytes;
  }
  int ended = host_hash_end(hash, digest);
  return error == OTA_OK ? ended : error;
}

void host_fill_digest(struct ota_port *port) {
  port->sha256_start = sha256_start;
  port->sha256_update = sha256_update;
  port->sha256_finish = sha256_finish;
}
