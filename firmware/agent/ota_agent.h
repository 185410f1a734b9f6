/**
 * @file
 * The OTA agent. The program owns every byte of it: one struct ota_agent, one struct ota_buffers, the port and the
 * installers, all of which outlive the agent. It allocates nothing, keeps no globals, and never blocks by itself.
 *
 *     struct ota_agent agent;
 *     if (ota_agent_init(&agent, &config) != OTA_OK) halt();
 *     for (;;) wait_for_events_at_most(ota_agent_poll(&agent));
 */
#ifndef OTA_AGENT_H
#define OTA_AGENT_H

#include "ota_consent.h"
#include "ota_download.h"
#include "ota_install.h"
#include "ota_journal.h"
#include "ota_json.h"
#include "ota_keep.h"
#include "ota_port.h"
#include "ota_renewal.h"
#include "ota_reporter.h"
#include "ota_session.h"
#include "ota_state.h"

/** How often, how long and how patiently; all in milliseconds. The names are those of the virtual device. */
struct ota_timing {
  uint32_t reconnect_min_ms; /**< Between two attempts to connect, doubling … */
  uint32_t reconnect_max_ms; /**< … up to this. */
  /** From mqtt_connect to the last SUBACK. */
  uint32_t connect_ms;
  uint32_t resend_min_ms; /**< Critical messages are sent again after this, doubling … */
  uint32_t resend_max_ms; /**< … up to this, until acked. */
  uint32_t retry_min_ms; /**< Between broken ranged GETs, doubling … */
  uint32_t retry_max_ms; /**< … up to this. */
  uint32_t url_refresh_min_ms; /**< Between two requests for a fresh URL, doubling … */
  uint32_t url_refresh_max_ms; /**< … up to this. */
  /** An answer that brings no byte for so long is given up. */
  uint32_t stall_ms;
  uint32_t fast_chunk_ms; /**< A chunk faster than this doubles the next. */
  uint32_t slow_chunk_ms; /**< A chunk slower than this halves the next. */
  uint32_t checkpoint_ms; /**< How much of a download a reset may cost. */
  uint32_t progress_ms;   /**< Between two messages of progress. */
  uint32_t telemetry_ms;  /**< Between two rounds of telemetry. */
  /** A new image must have passed its self-test and connected within this, or it is rolled back. */
  uint32_t self_test_ms;
  uint32_t renew_check_ms; /**< How often the certificate's age is looked at. */
  /** A renewal that got no answer, or a refusal, is tried again after this. */
  uint32_t renew_retry_ms;
  /** An application that does not say until when it puts an update off is asked again after this; as often the server is told. */
  uint32_t ask_again_ms;
};

/** How much at once, and how often before it is given up. */
struct ota_limits {
  uint32_t chunk_floor_bytes;   /**< Smallest ranged GET. */
  uint32_t chunk_start_bytes;   /**< The first one. */
  uint32_t chunk_ceiling_bytes; /**< Largest one. */
  /** A checkpoint is written after so many chunks at the latest. */
  uint32_t checkpoint_chunks;
  /** Answers that did not come, in a row and without a byte of progress, after which a download is given up. */
  uint32_t network_failures;
  /** Wrong answers, likewise. */
  uint32_t response_failures;
  /** Fresh URLs in a row that were refused without a byte of progress. */
  uint32_t url_refusals;
  /** Connects in a row that a renewed certificate may fail before the old one is tried. */
  uint32_t renewed_connects;
};

/** For a device on mains power, on a bad network. */
extern const struct ota_timing ota_default_timing;
/** For 64 KiB of free memory and more. */
extern const struct ota_limits ota_default_limits;

/** Topics to subscribe to, in this order; null-terminated. */
extern const char *const ota_downlink_topics[];

#define OTA_INBOX_MIN_BYTES 8193u   /**< One message of the protocol, with its NUL. */
#define OTA_WORK_MIN_BYTES 4096u    /**< One block. */
#define OTA_JOURNAL_MIN_BYTES 6144u /**< The state and a message of the largest size. */

struct ota_delta;
struct ota_seal;

/** Memory that the agent uses as long as it lives. */
struct ota_buffers {
  /** One incoming message. */
  char *inbox;
  size_t inbox_bytes; /**< At least OTA_INBOX_MIN_BYTES. */
  /** One block on its way from the network or between storages, or one outgoing message. Larger is faster. */
  uint8_t *work;
  size_t work_bytes; /**< At least OTA_WORK_MIN_BYTES. */
  /** State and unacknowledged messages, as they are stored: 4 KiB and about 400 bytes a message. */
  uint8_t *journal;
  size_t journal_bytes; /**< At least OTA_JOURNAL_MIN_BYTES. */
  /** OTA_URL_MAX + 1 bytes. */
  char *url;
  /** For delta updates (delta.h), in programs built with FLOTA_DELTA; null: every update is a whole image. */
  struct ota_delta *delta;
  /** For sealed objects (seal.h), in programs built with FLOTA_SEAL; null: this device takes none. */
  struct ota_seal *seal;
};


/** All that the agent is told; everything it points to outlives it. */
struct ota_config {
  const struct ota_port *port;      /**< The hardware. */
  const struct ota_installer *main; /**< Slots of the program that the agent is part of. */
  /** Or null. */
  const struct ota_installer *child;
  /** Two, so that one can be rotated; any number will do. */
  const struct ota_signing_key *keys;
  size_t key_count;           /**< At least 1. */
  struct ota_timing timing;   /**< ota_default_timing, unless there is a reason. */
  struct ota_limits limits;   /**< ota_default_limits, unless there is a reason. */
  struct ota_buffers buffers; /**< Memory for as long as the agent lives. */
};

/** What a screen shows. */
struct ota_snapshot {
  /** idle, accepted, downloading, verifying, installing or rebooting. */
  enum ota_stage stage;
  bool on_trial; /**< What runs has not proved itself yet. */
  /** Connected to the broker and subscribed. */
  bool online;
  const char *component;   /**< Of the current job; null when idle. Valid until the next poll. */
  const char *version;     /**< Likewise. */
  /** Why the application has put it off; null when it has not. Valid until the next poll. */
  const char *deferred;
  uint32_t received_bytes; /**< Of the current download. */
  uint32_t total_bytes;    /**< Of the image. */
  uint32_t chunk_bytes;    /**< Of the next ranged GET. */
  uint32_t boot_count;     /**< Of this device, since it was made. */
  /** Critical messages that nobody has acked yet. */
  uint32_t outbox_messages;
  /** What the main component runs. Valid until the next poll. */
  const struct ota_image *running;
};

/** Which long work is under way. */
enum ota_work { OTA_WORK_NONE = 0, OTA_WORK_DOWNLOAD, OTA_WORK_VERIFY, OTA_WORK_INSTALL, OTA_WORK_CONSENT };

/** What is inside is the agent's own business; it is here so that its owner can declare one. */
struct ota_agent {
  /** @cond PRIVATE */
  struct ota_config config;
  const struct ota_port *port;
  struct ota_keep keep;
  struct ota_journal journal;
  struct ota_session session;
  struct ota_reporter reporter;
  struct ota_renewal renewal;
  struct ota_json json;
  enum ota_work work;
  struct ota_download download;
  struct ota_install install;
  struct ota_consent consent;
  /** By component. */
  struct ota_image running[OTA_COMPONENTS];
  enum ota_boot_reason boot_reason;
  uint64_t trial_ends_at;
  uint64_t telemetry_at;
  bool on_trial, self_tested, ended;
  /** @endcond */
};

/**
 * Reads what is stored, counts the boot and decides about a trial image. `config` is copied; what it points to is not.
 * OTA_ERR_ARGUMENT: a callback or a buffer is missing or too small. OTA_ERR_STORAGE: storage cannot be read or written; try
 * again later.
 */
int ota_agent_init(struct ota_agent *agent, const struct ota_config *config);

/** Does what is due, a bounded piece of it. Returns how many milliseconds nothing will be due unless a connection brings something; 0: at once. */
uint32_t ota_agent_poll(struct ota_agent *agent);

/** True after port.reboot was called: this life is over. */
bool ota_agent_ended(const struct ota_agent *agent);

/** Saves how far a download got, before an orderly power-off. */
int ota_agent_suspend(struct ota_agent *agent);

/** What there is to show now. */
void ota_agent_snapshot(const struct ota_agent *agent, struct ota_snapshot *snapshot);

/** One line for the broker's `log` topic (info and above) and the port's log. Dropped while offline. */
void ota_agent_log(struct ota_agent *agent, enum ota_log_level level, const char *text);

#endif
