/**
 * The agent's transition table: pure, no I/O. ota_machine_step changes the state by one event and says what to do. The
 * caller stores the new state and the messages in one atomic write, then acts; so every effect but a message must be
 * something that a boot starts again from the state alone.
 */
#ifndef OTA_MACHINE_H
#define OTA_MACHINE_H

#include "ota_state.h"

enum ota_event_type {
  /** A download request, verified or not. */
  OTA_EVENT_REQUEST = 0,
  OTA_EVENT_CANCEL,
  /** The first byte of the image arrived. */
  OTA_EVENT_RECEIVING,
  OTA_EVENT_DOWNLOADED,
  OTA_EVENT_VERIFIED,
  /** The new image boots next. */
  OTA_EVENT_COMMITTED,
  /** `failure` says why. */
  OTA_EVENT_FAILED,
  /** A boot has decided about an installed image: confirmed when `failure` is none. */
  OTA_EVENT_BOOTED,
  OTA_EVENTS,
};

struct ota_event {
  enum ota_event_type type;
  /** Of a request or cancel. */
  struct ota_attempt attempt;
  /** Of a request: what the manifest says, unless `failure` says what is wrong with it. */
  enum ota_component component;
  struct ota_image image;
  struct ota_deadline deadline;
  /** Of a request: it came with a URL that can be used. */
  bool has_url;
  /** Of an undo, else null: the deployment that is undone. */
  const char *undoes;
  /** Of a request whose URL is that of a patch: its bytes, else 0; and why one is not used. With FLOTA_DELTA only. */
  uint32_t patch_bytes, patch_fault;
  uint8_t patch_sha256[OTA_SHA256_BYTES];
  struct ota_failure failure;
};

enum ota_message_kind { OTA_REQUEST_ACK, OTA_RESULT, OTA_CANCEL_ACK };

/** A critical message to be written. */
struct ota_message {
  enum ota_message_kind kind;
  struct ota_attempt attempt;
  /** accepted or cancelled. */
  bool flag;
  enum ota_outcome outcome;
  bool has_stats;
  struct ota_stats stats;
  struct ota_failure failure;
};

/** What is to be done, in this order: stop, messages, then one of the others. */
enum ota_effect {
  OTA_DO_STOP = 1,
  OTA_DO_DOWNLOAD = 2,
  OTA_DO_USE_FRESH_URL = 4,
  OTA_DO_VERIFY = 8,
  OTA_DO_INSTALL = 16,
  OTA_DO_REBOOT = 32,
};

struct ota_step {
  /** The state is another one, or there is something to do. */
  bool changed;
  unsigned effects;
  /** Accepted and, when the image runs already, its result. */
  struct ota_message messages[2];
  unsigned message_count;
  enum ota_component component;
};

/** `running`: by component. An event that the table has no row for changes nothing: it came too late. */
void ota_machine_step(struct ota_state *state, const struct ota_event *event, const struct ota_image *running,
                      struct ota_step *step);

/** That deployment has succeeded here, and nothing else has been installed since. */
bool ota_machine_has_installed(struct ota_state *state, const char *deployment);

/** The stage that a boot goes on from: an interrupted check or installation starts again with the check. */
void ota_machine_after_boot(struct ota_state *state, const struct ota_image *running);

#endif
