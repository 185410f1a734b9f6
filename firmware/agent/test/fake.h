/**
 * A device on a bench of its own: flash that survives, power that goes at a chosen write, a clock that only moves when
 * nothing is due, a broker that plays the webhook, and a hostile file server. Everything is deterministic.
 */
#ifndef FAKE_H
#define FAKE_H

#include <setjmp.h>

#include "../delta.h"
#include "../ota_agent.h"
#include "../seal.h"
#include "../slot_staging.h"

enum { fake_slot_bytes = 128 * 1024, fake_sector_bytes = 1024, fake_messages = 1024, fake_answers = 64 };

enum fake_how {
  SERVE_HONEST = 0,
  /** 200 and everything, whatever was asked for. */
  SERVE_WHOLE,
  /** The same without a Content-Length. */
  SERVE_WHOLE_UNSIZED,
  /** `number` is the status. */
  SERVE_STATUS,
  /** Breaks off, or falls silent, after `number` bytes. */
  SERVE_CUT,
  SERVE_STALL,
  /** A body that ends properly after `number` bytes of those promised. */
  SERVE_TRUNCATED,
  /** A range of only `number` bytes, honestly labelled. */
  SERVE_SHORT,
  SERVE_OVERLONG,
  SERVE_WRONG_RANGE,
  SERVE_NO_RANGE,
  SERVE_WRONG_TOTAL,
  SERVE_GZIP,
  SERVE_NO_CONNECTION,
  SERVE_SILENT,
  /** A flipped bit in the middle of the image. */
  SERVE_CORRUPT,
};

struct fake_answer {
  enum fake_how how;
  uint32_t number;
};

struct fake_slot {
  uint8_t data[fake_slot_bytes];
  struct ota_image image;
  bool present;
};

struct fake_message {
  char topic[40];
  char payload[2304];
};

struct fake_hash {
  uint32_t state[8];
  uint64_t bytes;
  uint8_t block[64];
};

struct fake {
  /* What survives a power cut. */
  uint8_t stores[OTA_STORE_KEYS][16384];
  int store_bytes[OTA_STORE_KEYS];
  uint8_t staging[fake_slot_bytes];
  uint32_t staging_bytes;
  /** Of an image that is staged in the slot itself. */
  struct slot_staging_mark mark;
  /** Staged bytes from here on do not survive the power: nobody has synced them. */
  uint32_t unsynced_from;
  /** The same of the slot that was written last. */
  uint32_t slot_unsynced_from;
  int slot_written;
  /** Seed by which unsynced sectors survive or not, in any order; 0: none does. */
  uint32_t disorder;
  struct fake_slot slots[2];
  int active, confirmed, trial_boots;
  uint8_t child_flash[fake_slot_bytes];
  struct ota_image child_image;
  bool child_present;
  int key, pending_key;
  bool issued;

  /* Power. */
  jmp_buf power;
  bool armed;
  long writes, cut_at;
  int activations;
  bool rebooting;
  int lives;

  /* Time. */
  uint64_t uptime, wall;
  bool clock_set;

  /* The image to serve, and how. */
  uint8_t image[fake_slot_bytes];
  uint32_t image_bytes;
  struct fake_answer answers[fake_answers];
  unsigned answer_count, answer_next;
  struct fake_answer always;
  /** Only this URL is honoured; null: all are. */
  const char *good_url;
  unsigned requests;
  uint32_t largest_range, smallest_range, last_from;
  bool last_ranged;
  unsigned connections;
  bool connection_open;
  /* The GET that runs. */
  bool getting;
  struct fake_answer answer;
  uint32_t from, body_at, body_end, body_stop;
  bool url_refused;
  /** Every piece of a body takes so long. */
  uint32_t ms_per_piece;
  uint32_t piece_bytes;

  /* Broker. */
  bool connected, broker_down, acking, answering_renewals;
  int refused_key;
  unsigned connects;
  unsigned inbound_from, inbound_to;
  unsigned sent_count;
  /** Answers a request for a fresh URL with this request. */
  const char *fresh_request;
  /** Called for every publish. */
  void (*on_publish)(struct fake *fake, const char *topic, const char *payload);
  enum ota_mqtt_event_type pending_event;
  int connected_key;
  /** A connection that the agent closes is told as gone only later, as a port with a queue does. */
  bool late_disconnects, stale_disconnect;

  /* Self-test of the running image, and of the child. */
  int self_test, child_self_test;
  /** What the application says before an image is installed and before it boots, why, and how often it was asked. */
  uint32_t install_wait, reboot_wait;
  const char *wait_reason;
  unsigned asked_install, asked_reboot;
  /** Reads of the slot that runs, by the patcher. */
  unsigned old_reads;
  /** The patch to serve under URLs with "patch" in them; and how the manifests of requests name it: null, or one of its flaws. */
  const uint8_t *patch;
  uint32_t patch_bytes;
  const char *offer;
  bool getting_patch;
  /** Of the bodies of patches: all bytes that were sent. */
  uint32_t patch_sent;
  /** What is served instead, sealed, and the fragment of its URL; null: as it is. */
  const uint8_t *sealed;
  uint32_t sealed_bytes;
  const char *(*fragment)(struct fake *fake, const char *deployment);
  /** How the server errs. */
  const char *seal_flaw;
  /** Bytes of bodies, and shared secrets that were made. */
  uint32_t sent_bytes;
  unsigned agreements;
  /** Members of the next requests, such as `,"deadlineUnixMs":1000`. */
  const char *request_members;
  bool image_is_foreign, slot_write_fails, staging_write_fails, store_write_fails;
  uint64_t random;
  bool random_fails;

  /* The agent. */
  struct ota_agent agent;
  struct ota_port port;
  struct ota_installer main, child;
  bool has_child;
  /** Stages in the inactive slot, as devices without other storage do. */
  bool in_slot;
  struct slot_staging slot_staging;
  uint8_t sector[fake_sector_bytes];
  struct ota_timing timing;
  struct ota_limits limits;
  struct ota_signing_key keys[2];
  char inbox[OTA_INBOX_MIN_BYTES];
  uint8_t work[OTA_WORK_MIN_BYTES];
  uint8_t journal[12 * 1024];
  char url[OTA_URL_MAX + 1];
  struct ota_delta delta;
  struct ota_seal seal;
  struct fake_hash hash;

  /* Not cleared for a new device: what counts is counted above. */
  struct fake_message inbound[fake_messages];
  struct fake_message sent[fake_messages];
};

/** A new device with a factory image; the same one for every test. */
struct fake *fake_new(void);

/** Fills the served image with `bytes` pseudo-random bytes of `seed`. */
void fake_make_image(struct fake *fake, uint32_t bytes, uint32_t seed);

/** One life: from power-on until the power is cut, the device reboots, or `done` says so. True when `done` did. */
bool fake_live(struct fake *fake, bool (*done)(struct fake *fake));
/** Lives until `done`, at most `lives`. Fails the test when it never is. */
void fake_run(struct fake *fake, bool (*done)(struct fake *fake), int lives);
/** Lives for so long. */
void fake_pass(struct fake *fake, uint32_t ms);

void fake_deliver(struct fake *fake, const char *topic, const char *payload);
/** A request for the served image: manifest signed with key `signer` (0, 1, or 2: nobody's). */
void fake_request(struct fake *fake, const char *deployment, unsigned attempt, const char *change);
const char *fake_request_text(struct fake *fake, const char *deployment, unsigned attempt, const char *change,
                              const char *url);
/** The order to leave the served image, which DEPLOYMENT brought, for the one in slot 0. */
void fake_undo(struct fake *fake, const char *deployment, unsigned attempt, const char *change);
void fake_cancel(struct fake *fake, const char *deployment, unsigned attempt);

/** Copies of one id left out: how many messages on the topic hold the text; the last one of them. */
unsigned fake_said(const struct fake *fake, const char *topic, const char *text);
const struct fake_message *fake_last(const struct fake *fake, const char *topic);
void fake_serve(struct fake *fake, enum fake_how how, uint32_t number);

bool fake_runs_new_image(const struct fake *fake);
/** The active slot holds what its description says, and is confirmed. */
bool fake_is_sound(const struct fake *fake);
/** A write is about to happen, or has: the power may go just now. */
void fake_write(struct fake *fake);

void fake_hash_start(struct fake_hash *hash);
void fake_hash_update(struct fake_hash *hash, const uint8_t *data, size_t bytes);
void fake_hash_finish(struct fake_hash *hash, uint8_t *digest);
void fake_sha256(const uint8_t *data, size_t bytes, uint8_t *digest);
/** Compact JWS; `kid` and key by `signer` as above. */
void fake_sign(const char *header, const char *payload, int signer, char *jws, size_t capacity);
void fake_public_key(int signer, uint8_t *xy);
int fake_verify(void *ctx, const uint8_t *xy, const uint8_t *message, size_t bytes, const uint8_t *signature);

/** Connected, nothing to do, and everything acked. */
bool fake_is_quiet(struct fake *fake);

/** Of what is being got: bytes and how many. */
const uint8_t *fake_file(const struct fake *fake, uint32_t *bytes);

#define ACK "firmware/download/request/ack"
#define RESULT "firmware/download/result"
#define CANCEL_ACK "firmware/download/cancel/ack"
#define PROGRESS "firmware/download/progress"
#define DEPLOYMENT "7b0d2f0e-3f43-4f5b-9f0a-0d6a5c1e2f30"
#define OTHER_DEPLOYMENT "0f9c2f0e-3f43-4f5b-8f0a-0d6a5c1e2f31"

void fake_fill_network(struct ota_port *port);
void fake_fill_storage(struct fake *fake);
/** After fake_new: this device has no other storage than its slots. */
void fake_stage_in_slot(struct fake *fake);
/** At every start. */
void fake_open_slot_staging(struct fake *fake);

#endif
