/** A device on a desk PC: the agent's port on POSIX, with files for flash, libmosquitto, libcurl and OpenSSL. */
#ifndef HOST_H
#define HOST_H

#include <signal.h>
#include <stdio.h>

#include "../agent/crash.h"
#include "../agent/ota_agent.h"

enum { host_path_max = 512, host_keys_max = 8 };

struct host_options {
  const char *id, *dir, *mqtt_host, *trust, *hardware, *component, *enroll_url, *enroll_trust, *token;
  int mqtt_port;
  struct ota_signing_key keys[host_keys_max];
  size_t key_count;
  struct ota_timing timing;
  struct ota_limits limits;
  uint32_t reboot_ms, keepalive_ms, trial_boots, slot_bytes;
  bool fsync;
  /** MQTT 5 instead of 3.1.1. */
  bool mqtt5;
  enum ota_log_level log;
  /** The process kills itself in the middle of this write; 0: never. */
  long kill_at_write;
  /** Files by which the application says no; null: it never does. */
  const char *hold_install, *hold_reboot;
};

struct host_mqtt;
struct host_http;
struct host_memory;
struct evp_pkey_st;

struct host {
  struct host_options options;
  struct host_mqtt *mqtt;
  struct host_http *http;
  struct ota_port port;
  struct ota_installer main;
  struct host_memory *memory;
  /** Monotonic time of the boot, in ms. */
  uint64_t booted_at;
  /** The agent's, while one is under way. */
  void *hash;
  unsigned reconnects;
  /** After each poll; may be null. */
  void (*polled)(struct host *host, struct ota_agent *agent);
  /** What ended the process before this one. */
  bool crashed;
  struct ota_crash crash;
};

/** options.c: prints what is wrong in one line and exits with 1. */
void host_read_options(struct host_options *options, int count, char **arguments);
void host_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* main.c and http.c: the machine. */
uint64_t host_monotonic_ms(void);
int64_t host_unix_ms(void);
/** Waits until a connection brings something, at most so long. */
void host_wait(struct host *host, uint32_t most_ms);

/* life.c */
void host_fill_life(struct host *host);
/** From power-on to reboot, or until `*stopping`. False when storage could not be read. */
bool host_live(struct host *host, const volatile sig_atomic_t *stopping);
/** One JSON object a line on stdout. */
void host_log(const struct host *host, enum ota_log_level level, const char *text);

/* files.c: the flash. Every change is counted, and is the last when options.kill_at_write says so. */
void host_path(const struct host *host, const char *name, char path[host_path_max]);
/** Bytes, OTA_ERR_ABSENT, OTA_ERR_SPACE or OTA_ERR_STORAGE. */
int host_read_file(struct host *host, const char *name, void *data, size_t capacity);
/** The old content or the new one, whole, whenever the power goes. */
int host_replace_file(struct host *host, const char *name, const void *data, size_t bytes);
/** Atomic as well. */
int host_rename_file(struct host *host, const char *from, const char *to);
int host_remove_file(struct host *host, const char *name);
/** Created when absent. A write that the power cuts leaves half of its bytes. */
int host_write_at(struct host *host, const char *name, uint32_t offset, const void *data, size_t bytes);
int host_read_at(struct host *host, const char *name, uint32_t offset, void *data, size_t bytes);
int host_truncate_file(struct host *host, const char *name, uint32_t bytes);
int host_sync_file(struct host *host, const char *name);
/** 0 when there is none. */
uint32_t host_file_bytes(struct host *host, const char *name);

/* slots.c: two slots and the record that says which one runs. */
int host_slots_boot(struct host *host);
/** How long after its boot the running image crashes, as it says itself; UINT64_MAX: never. */
uint64_t host_crash_after_ms(struct host *host);
void host_fill_slots(struct host *host);

/* hold.c: an application that says no while a file is there. */
void host_fill_hold(struct host *host);

/* crash.c: what ended the life before is told by this one. After all else of the port. */
void host_fill_crash(struct host *host);
/** What a crash leaves in `host_crash_file`. One that is cut short is of another size, and none. */
struct host_crash_record {
  char magic[8];
  struct ota_crash crash;
};
extern const char *const host_crash_file;
/** Of a crash whose place and reason are not known yet: a new id, and the program's digest. */
int host_prepare_crash(struct host *host, struct host_crash_record *record);

/* signals.c, the machine's: from here on a crash leaves a record, or has left it. */
void host_catch_crashes(struct host *host);
/** The ELF that runs. */
int host_measure_program(uint8_t digest[OTA_SHA256_BYTES]);
void host_crash(void) __attribute__((noreturn));

/* enroll.c: gets a certificate unless there is one that is valid. Ends the program when it is refused. */
int host_enroll(struct host *host);

/* seal.c */
void host_fill_seal(struct ota_port *port);

/* identity.c: keys and certificates. */
/** The key in one of the files below, for EVP_PKEY_free; null when there is none. */
struct evp_pkey_st *host_read_key(struct host *host, const char *name);
void host_fill_identity(struct ota_port *port);
extern const char *const host_identity_file;
extern const char *const host_renewal_file;
extern const char *const host_enrolment_file;
/** Whether there is a key with a certificate of this device; `valid`: for some time yet. */
bool host_identity(struct host *host, bool *valid);
/** Stores a CSR (PEM) and after it its key, a new one or that of the identity. */
int host_enrolment_request(struct host *host, bool with_known_key);
/** What came for that request becomes the identity. */
int host_enrolment_store(struct host *host, const char *certificate, const char *chain);

/* digest.c */
void host_fill_digest(struct ota_port *port);
/** SHA-256 of the first `size` bytes of a file. */
int host_measure(struct host *host, const char *name, uint32_t size, uint8_t digest[OTA_SHA256_BYTES]);

/* crypto.c: es256_verify and random; one SHA-256, null when out of memory, which `host_hash_end` frees. */
void host_fill_crypto(struct ota_port *port);
/** Of x || y, for EVP_PKEY_free; null when that is no point of P-256. */
struct evp_pkey_st *host_import_key(const uint8_t *xy);
void *host_hash_new(void);
int host_hash_update(void *hash, const uint8_t *data, size_t bytes);
int host_hash_end(void *hash, uint8_t digest[OTA_SHA256_BYTES]);

/* mqtt.c, http.c */
int host_mqtt_open(struct host *host);
void host_mqtt_close(struct host *host);
void host_fill_mqtt(struct ota_port *port);
int host_http_open(struct host *host);
void host_http_close(struct host *host);
void host_fill_http(struct ota_port *port);
/** With the one-time token. The status, and the body as text; 0 when there was none: `problem` says why. Blocks. */
long host_post(struct host *host, const char *url, const char *body, char *answer, size_t capacity, const char **problem);

#endif
