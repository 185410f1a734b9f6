/**
 * @file
 * The hardware, as the agent sees it. One struct of callbacks with a context pointer; the agent calls nothing else of the
 * outside. All callbacks are called from the thread that calls ota_agent_poll, never re-entered, and must not call the
 * agent. They return 0 (or what they say) or a negative ota_error. Pointers that they get are valid during the call only.
 */
#ifndef OTA_PORT_H
#define OTA_PORT_H

#include "ota_error.h"
#include "ota_types.h"

struct ota_text;

/** What the application may say to an update's next step; any number in between: not before so many milliseconds have passed. */
#define OTA_NOW 0u
/** It cannot say until when: it is asked again after timing.ask_again_ms. */
#define OTA_NO UINT32_MAX
/** `reason`: why not, for whoever looks at the update: a short text, UTF-8, NUL-terminated, empty at first. */
typedef uint32_t ota_ask(void *ctx, char *reason, size_t capacity);

/**
 * Where the images of one component live. The main component is the program that the agent is part of; a child component
 * (a processor behind a serial line) has an installer of its own. `begin` … `activate` write the place that does not run.
 */
struct ota_installer {
  void *ctx; /**< Given to each callback. */
  /** As in manifests: [a-z0-9][a-z0-9_-]{0,31}. Static texts, like `hardware`. */
  const char *component;
  const char *hardware; /**< What images must be signed for. */
  /** Largest image, in bytes. */
  uint32_t slot_bytes;

  /**
   * What runs now. `sha256` is measured over the active slot (or, where that cannot be read, what was verified when it was
   * written); version and security_version are those given to `activate`, or the factory's.
   * OTA_ERR_ABSENT: nothing that could run, which is then reported as version "none".
   */
  int (*running)(void *ctx, struct ota_image *image);
  /** Makes the inactive slot ready for `image->size` bytes. Called again after an interrupted installation. */
  int (*begin)(void *ctx, const struct ota_image *image);
  /** In order, without gaps, at most buffers.work_bytes each. */
  int (*write)(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes);
  /** All is written: flush it. */
  int (*finish)(void *ctx);
  /** Reads the inactive slot back. */
  int (*read)(void *ctx, uint32_t offset, uint8_t *data, size_t bytes);
  /**
   * The point of no return: stores atomically that the next boot is that of `image`, on trial, and its description for
   * `running`. For a child: starts it.
   */
  int (*activate)(void *ctx, const struct ota_image *image);
  /**
   * May the image, which is staged and verified, be installed now? Asked once, and again when what it said is over; after the
   * deadline of the deployment it is not heard any longer. Null: always.
   */
  ota_ask *may_install;

  /** The rest is called for the main component only; a child leaves `trial`, `confirm`, `revert` and `may_reboot` null. */
  /** 1: the running image is on trial (pending verify). 0: it is confirmed. */
  int (*trial)(void *ctx);
  /** Marks the running image valid. */
  int (*confirm)(void *ctx);
  /** Marks the running image invalid: the next boot is the confirmed one's. Does not reboot. */
  int (*revert)(void *ctx);
  /**
   * What the running image says about itself (screen, sensors, a child's version line). 0: good. OTA_ERR_BUSY: not known
   * yet, ask again. Others: bad. May be null.
   */
  int (*self_test)(void *ctx);
  /** May the device reboot into the image, which is installed and read back, now? As `may_install`. */
  ota_ask *may_reboot;

  /** Reads the slot that runs, which patches are applied to. Null: this device takes none. */
  int (*read_running)(void *ctx, uint32_t offset, uint8_t *data, size_t bytes);
  /** Of patches: what a reset may leave of the staging area is whole pieces of so many bytes (a sector). 0: 4,096. */
  uint32_t patch_grain_bytes;
};

/** What the agent asks of the hardware. Only those at the end may be null. */
struct ota_port {
  void *ctx; /**< Given to each callback. */

  /* MQTT 3.1.1 over mTLS, clean_start false, client id and short topics as in emqx/protocol.ts. */
  /**
   * Starts to connect with this key pair; returns at once. When connected, the port subscribes (QoS 1) to
   * ota_downlink_topics in that order, each granted before the next, and then tells OTA_MQTT_CONNECTED.
   */
  int (*mqtt_connect)(void *ctx, enum ota_key_pair pair);
  /**
   * Says DISCONNECT and closes; OTA_MQTT_DISCONNECTED may follow. After mqtt_connect nothing more is told of an earlier
   * connection.
   */
  void (*mqtt_disconnect)(void *ctx);
  /** QoS 1. Takes the payload (UTF-8, not NUL-terminated) before it returns. OTA_ERR_BUSY: too much in flight, drop or repeat. */
  int (*mqtt_publish)(void *ctx, const char *topic, const char *payload, size_t bytes);
  /** Next event, if there is one; the payload of a message goes to `inbox`. */
  int (*mqtt_poll)(void *ctx, struct ota_mqtt_event *event, char *inbox, size_t capacity);

  /* HTTPS, verified against the device's trust alone, no redirects, one kept-alive connection. One request at a time. */
  /**
   * Starts GET `url` with `Range: bytes=from-(to-1)`, or without when `to` is 0, and `Accept-Encoding: identity`.
   * Returns at once.
   */
  int (*http_get)(void *ctx, const char *url, uint32_t from, uint32_t to);
  /** 1: `head` is complete. 0: not yet. OTA_ERR_NETWORK: it will not come. */
  int (*http_head)(void *ctx, struct ota_http_head *head);
  /**
   * Bytes of the body put into `data` (more than 0), 0: none yet, OTA_ERR_ABSENT: the body has ended properly,
   * OTA_ERR_NETWORK: broken off.
   */
  int (*http_read)(void *ctx, uint8_t *data, size_t capacity);
  /** Ends the request. `keep`: its body was read to the end and the connection may serve the next. */
  void (*http_end)(void *ctx, bool keep);

  /* Staging area: at least as large as the largest slot. */
  /** Bytes that may be there (0 when empty); more than the checkpoint says is what a reset interrupted. */
  uint32_t (*staging_bytes)(void *ctx);
  /** In order from where a download began or went on. */
  int (*staging_write)(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes);
  /** What was written. */
  int (*staging_read)(void *ctx, uint32_t offset, uint8_t *data, size_t bytes);
  /** After this returned 0, what was written survives a power cut. */
  int (*staging_sync)(void *ctx);
  /** The area is empty from now on; nothing needs to be erased. */
  int (*staging_clear)(void *ctx);

  /* Small blobs. */
  /** Bytes read, OTA_ERR_ABSENT, OTA_ERR_SPACE when it is larger than `capacity`, or OTA_ERR_STORAGE. */
  int (*store_read)(void *ctx, enum ota_store_key key, uint8_t *data, size_t capacity);
  /** Old or new, whole, whenever the power goes. */
  int (*store_write)(void *ctx, enum ota_store_key key, const uint8_t *data, size_t bytes);

  /* Certificates. Every change is one atomic write; keys are made on the device and never leave it. */
  /** Of the current certificate. */
  int (*cert_validity)(void *ctx, struct ota_validity *validity);
  /** Whether a new key pair is pending, and how far. */
  enum ota_renewal_state (*cert_state)(void *ctx);
  /** Makes and stores a new key unless one is pending, and writes a CSR (PEM, CN = device id, NUL-terminated). */
  int (*cert_request)(void *ctx, char *csr, size_t capacity);
  /**
   * Stores certificate and chain (PEM, NUL-terminated) beside the pending key. OTA_ERR_CERTIFICATE when they do not belong
   * together or to this device; nothing is stored then.
   */
  int (*cert_store)(void *ctx, const char *certificate, const char *chain);
  /** The new pair has connected: it replaces the current one. */
  int (*cert_promote)(void *ctx);
  /** Forgets whatever is pending. */
  int (*cert_drop)(void *ctx);

  /* SHA-256, one at a time. */
  /** Begins anew. */
  int (*sha256_start)(void *ctx);
  /** The next bytes. */
  int (*sha256_update)(void *ctx, const uint8_t *data, size_t bytes);
  /** Ends it. */
  int (*sha256_finish)(void *ctx, uint8_t digest[OTA_SHA256_BYTES]);
  /**
   * ECDSA P-256 over the SHA-256 of `message`; must not disturb a sha256_start … sha256_finish that is under way. 0, or
   * OTA_ERR_SIGNATURE. `signature` is r || s.
   */
  int (*es256_verify)(void *ctx, const uint8_t xy[OTA_ES256_BYTES], const uint8_t *message, size_t bytes,
                      const uint8_t signature[OTA_ES256_BYTES]);

  /** Milliseconds since the processor started; never goes back. */
  uint64_t (*uptime_ms)(void *ctx);
  /** Milliseconds since 1970, or -1 before time is known. */
  int64_t (*unix_ms)(void *ctx);
  /** From a generator fit for keys. */
  int (*random)(void *ctx, uint8_t *data, size_t bytes);
  /** Why this life began, as far as the processor can tell. */
  enum ota_boot_reason (*boot_reason)(void *ctx);
  /** Starts again. May return; the agent then does nothing more. */
  void (*reboot)(void *ctx);
  /** One line, UTF-8, NUL-terminated. */
  void (*log)(void *ctx, enum ota_log_level level, const char *text);

  /* Optional: may be null. */
  /**
   * Telemetry number `index`: sets `topic` (status/system, status/network, data/sensors, data/metrics) to a static text and
   * writes the members of the message without braces, `id` and `at` ("\"uptimeMs\":12"). 0, or OTA_ERR_ABSENT after the last.
   */
  int (*telemetry)(void *ctx, unsigned index, const char **topic, char *fields, size_t capacity);
  /**
   * A control/command that the agent does not know by itself (ping, report, reboot it does), and `identify`, which it also
   * answers. `args`: JSON object or "". Writes a JSON value to `result` or leaves it empty. 0, OTA_ERR_ABSENT: unknown,
   * others: failed.
   */
  int (*command)(void *ctx, const char *command, const char *args, char *result, size_t capacity);
  /** What else a report of health says: writes members, each with a comma before it (ota_text.h, crash.h). */
  void (*health)(void *ctx, struct ota_text *text);

  /* Of sealed objects (../ENCRYPTION.md): null where the device takes none. Hardware may do them. */
  /**
   * The public key, x || y, of the certificate that the device connects with: the other side seals to it. OTA_ERR_ABSENT: that key is not of
   * P-256, or cannot be used for this.
   */
  int (*seal_key)(void *ctx, uint8_t xy[OTA_ES256_BYTES]);
  /**
   * ECDH with the private key of that certificate: the x of the shared point. OTA_ERR_SIGNATURE: `xy` is no point of the curve, which must be
   * looked at first: what comes of others gives the private key away.
   */
  int (*seal_agree)(void *ctx, const uint8_t xy[OTA_ES256_BYTES], uint8_t secret[32]);
  /**
   * AES-256-GCM: decrypts `bytes` of `data` in place, once they and `extra` (may be null) are known to belong to the tag; OTA_ERR_SIGNATURE when
   * they do not, and what is in `data` then is looked at by nobody. `tag` stands right behind the data.
   */
  int (*gcm_open)(void *ctx, const uint8_t key[OTA_AES_KEY_BYTES], const uint8_t nonce[OTA_GCM_NONCE_BYTES], const uint8_t *extra,
                  size_t extra_bytes, uint8_t *data, size_t bytes, const uint8_t tag[OTA_GCM_TAG_BYTES]);
};

#endif
