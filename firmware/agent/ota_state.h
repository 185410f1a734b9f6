/** What the agent keeps across resets besides its outbox, and how it is stored. */
#ifndef OTA_STATE_H
#define OTA_STATE_H

#include "ota_failure.h"
#include "ota_field.h"

/** The order is stored; add at the end. */
enum ota_stage {
  OTA_IDLE = 0,
  OTA_ACCEPTED,
  OTA_DOWNLOADING,
  OTA_VERIFYING,
  OTA_INSTALLING,
  OTA_REBOOTING,
  OTA_STAGES,
};

enum ota_component { OTA_MAIN = 0, OTA_CHILD = 1, OTA_COMPONENTS = 2 };

/** How an attempt ended. The order is stored. */
enum ota_outcome { OTA_REFUSED = 0, OTA_CANCELLED, OTA_SUCCEEDED, OTA_FAILED, OTA_ROLLED_BACK, OTA_OUTCOMES };

struct ota_attempt {
  char deployment[OTA_UUID_MAX + 1];
  uint64_t number;
};

/** Figures of one attempt. */
struct ota_stats {
  uint64_t download_ms;
  uint64_t received_bytes;
  uint64_t redownloaded_bytes;
  uint32_t resumes;
};

/** How long the application may put an update off. */
struct ota_deadline {
  /** Milliseconds since 1970; 0: as long as it likes. */
  uint64_t unix_ms;
  /** What happens then: the update is given up, or goes on whatever the application says. */
  bool give_up;
};

struct ota_job {
  struct ota_attempt attempt;
  /** OTA_IDLE: there is no job, and the rest means nothing. */
  enum ota_stage stage;
  enum ota_component component;
  struct ota_image image;
  /** How often its installation has begun. */
  uint32_t installs;
  /** Of the download; filled in when it is over. */
  struct ota_stats stats;
  /** Why the device decided to roll it back. */
  struct ota_failure rollback;
  struct ota_deadline deadline;
  /** The deployment that it undoes: the image is in the other slot already. Empty: it is an update like any other. */
  char undoes[OTA_UUID_MAX + 1];
  /** Of the patch that is downloaded instead of the image; 0: it is the image. Used and stored with FLOTA_DELTA only, as what follows. */
  uint32_t patch_bytes;
  /** Why a patch that was offered is not used (enum ota_patch_fault). */
  uint32_t patch_fault;
};

/** The newest attempt of a deployment that is over, so that late copies of its messages are recognised. */
struct ota_finished {
  struct ota_attempt attempt;
  enum ota_outcome how;
};

#define OTA_FINISHED_MAX 16u
#define OTA_COMMANDS_MAX 8u

struct ota_state {
  uint32_t boot_count;
  /** What the next boot gives as its reason; OTA_BOOT_UNKNOWN: ask the hardware. */
  enum ota_boot_reason next_reason;
  struct ota_job job;
  /** The image that staged bytes belong to, and a number that no two stagings share. Size 0: nothing is staged. */
  uint32_t staged_size;
  uint8_t staged_sha256[OTA_SHA256_BYTES];
  uint32_t staging;
  struct ota_finished finished[OTA_FINISHED_MAX];
  uint32_t finished_count;
  /** Hashes of the ids of the last commands carried out; 0: none. */
  uint64_t commands[OTA_COMMANDS_MAX];
  /** Id of the cert/renew/request that waits for its answer; empty: none. */
  char renewal_id[OTA_ID_MAX + 1];
};

/** How far the staging area is known to be good. It counts only for the staging that it names. */
struct ota_checkpoint {
  uint32_t staging;
  uint32_t received_bytes;
  uint32_t chunk_bytes;
  /** Of the attempt that was downloading. */
  uint64_t attempt;
  struct ota_stats stats;
};

#define OTA_STATE_BYTES 1536u
#define OTA_CHECKPOINT_BYTES 64u

/** Bytes written (little-endian, every field by itself), or OTA_ERR_SPACE. `value` is only read. */
int ota_state_encode(struct ota_state *value, uint8_t *data, size_t capacity);
/** OTA_ERR_SCHEMA: not a state, or of a later format. Values that this firmware does not know are replaced one by one. */
int ota_state_decode(struct ota_state *value, const uint8_t *data, size_t count);

int ota_checkpoint_encode(struct ota_checkpoint *value, uint8_t *data, size_t capacity);
int ota_checkpoint_decode(struct ota_checkpoint *value, const uint8_t *data, size_t count);

#endif
