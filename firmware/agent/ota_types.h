/**
 * @file
 * What passes between the agent and its port. All of it is plain data, copied, owned by whoever declares it.
 */
#ifndef OTA_TYPES_H
#define OTA_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Of a small function with several callers: a copy in each would cost more flash than it saves time. */
#define OTA_ONE_COPY __attribute__((noinline))

#define OTA_SHA256_BYTES 32u /**< Of a digest. */
/** r || s of an ES256 signature, and x || y of a P-256 public key. */
#define OTA_ES256_BYTES 64u
#define OTA_AES_KEY_BYTES 32u   /**< Of AES-256. */
#define OTA_GCM_NONCE_BYTES 12u /**< Of AES-GCM. */
#define OTA_GCM_TAG_BYTES 16u   /**< Of AES-GCM. */
#define OTA_COMPONENT_MAX 32u /**< Characters of a component's name. */
/** 64 characters of up to 3 bytes of UTF-8. */
#define OTA_VERSION_MAX 192u
#define OTA_HARDWARE_MAX 192u /**< Bytes of a hardware's name. */
#define OTA_KID_MAX 64u       /**< Characters of a key's id. */
#define OTA_URL_MAX 2048u     /**< Characters of a download's address. */

/** An image as a slot holds it. Texts are UTF-8, NUL-terminated. */
struct ota_image {
  /** "none" where nothing is that could run. */
  char version[OTA_VERSION_MAX + 1];
  /** Images below the highest that has been confirmed are refused. */
  uint64_t security_version;
  /** Bytes. */
  uint32_t size;
  /** Of the whole image. */
  uint8_t sha256[OTA_SHA256_BYTES];
};

/** A public key that firmware manifests are verified with. */
struct ota_signing_key {
  /** Its id in the manifest's header. */
  char kid[OTA_KID_MAX + 1];
  /** x || y, big-endian. */
  uint8_t xy[OTA_ES256_BYTES];
};

/** Validity of a certificate: milliseconds since 1970. */
struct ota_validity {
  int64_t not_before_ms; /**< First moment. */
  int64_t not_after_ms;  /**< Last moment. */
};

/** Head of an HTTP answer as far as downloads need it; filled by ota_http_head_begin and ota_http_head_field (ota_http.h). */
struct ota_http_head {
  /** 0: no answer yet. */
  int status;
  bool has_range;  /**< Content-Range could be read. */
  bool has_total;  /**< It told the size of the whole. */
  bool has_length; /**< Content-Length could be read. */
  /** A Content-Encoding other than identity. */
  bool encoded;
  uint64_t first;  /**< Of Content-Range: first byte. */
  uint64_t last;   /**< Of Content-Range: last byte. */
  uint64_t total;  /**< Of Content-Range: bytes of the whole. */
  uint64_t length; /**< Content-Length. */
  /** Retry-After in seconds; 0: none. */
  uint32_t retry_after_s;
};

/** What a port has to tell about the broker. */
enum ota_mqtt_event_type {
  OTA_MQTT_NONE = 0,
  /** Connected, and every topic of ota_downlink_topics granted. Told once per connection. */
  OTA_MQTT_CONNECTED,
  /** The connection is gone or could not be made. `reached`: a broker was there, TLS or MQTT said no. */
  OTA_MQTT_DISCONNECTED,
  OTA_MQTT_MESSAGE,
};

/** What mqtt_poll brings. */
struct ota_mqtt_event {
  enum ota_mqtt_event_type type; /**< What happened. */
  bool reached;                  /**< Of a disconnect: a broker was there, TLS or MQTT said no. */
  /** Of a message; `topic` (without the mountpoint) stays valid until the next poll. */
  const char *topic;
  /** Bytes put into the inbox; larger than its capacity when the message did not fit and was dropped. */
  size_t payload_bytes;
};

/** Which key pair a connection uses. */
enum ota_key_pair { OTA_PAIR_CURRENT = 0, OTA_PAIR_NEW = 1 };

/** How far a renewal has come on this device. */
enum ota_renewal_state {
  OTA_RENEWAL_NONE = 0,
  /** A new key is stored; its certificate is not. */
  OTA_RENEWAL_KEY = 1,
  /** The new key and its certificate are stored beside the current pair. */
  OTA_RENEWAL_ISSUED = 2,
};

/** Blobs that the agent keeps, each replaced whole and atomically. */
enum ota_store_key {
  /** Job, finished attempts and outbox: written at every transition. Up to buffers.journal_bytes. */
  OTA_STORE_JOURNAL = 0,
  /** How far the staging area is good: 96 bytes or less, written every few chunks. */
  OTA_STORE_CHECKPOINT = 1,
  /** The URL of the job: up to 2 KiB + 64. */
  OTA_STORE_URL = 2,
  /**
   * What must outlive the journal, twice: 64 bytes or less, written at every boot. Best kept where neither a new journal nor
   * new settings of the factory reach it.
   */
  OTA_STORE_KEEP = 3,
  OTA_STORE_KEEP_COPY = 4,
  OTA_STORE_KEYS = 5,
};

/** How much a line matters. */
enum ota_log_level { OTA_LOG_DEBUG = 0, OTA_LOG_INFO, OTA_LOG_WARN, OTA_LOG_ERROR };

/** Why the processor started, as far as the hardware knows; the agent knows of its own reboots better. */
enum ota_boot_reason {
  OTA_BOOT_POWER_ON = 0,
  OTA_BOOT_UPDATE,
  OTA_BOOT_ROLLBACK,
  OTA_BOOT_WATCHDOG,
  OTA_BOOT_COMMAND,
  OTA_BOOT_UNKNOWN,
};

#endif
