/** Whether a signed manifest is genuine, and for this device. */
#ifndef OTA_MANIFEST_H
#define OTA_MANIFEST_H

#include "ota_failure.h"
#include "ota_jws.h"

struct ota_manifest {
  char component[OTA_COMPONENT_MAX + 1];
  char hardware[OTA_HARDWARE_MAX + 1];
  struct ota_image image;
  /** Of an undo, else null: the deployment that is undone (in the payload), the image that it leaves, and until when it holds. */
  const char *undoes;
  uint8_t leaves[OTA_SHA256_BYTES];
  uint64_t expires_unix_ms;
};

/** Reads the payload of a manifest (used up). OTA_ERR_JSON, OTA_ERR_SCHEMA, OTA_ERR_SPACE. */
int ota_manifest_read(struct ota_json *json, char *payload, size_t bytes, struct ota_manifest *manifest);

/**
 * Why a manifest is not for an installer whose images must have at least the security version `floor`: `failure`, of
 * OTA_FAILURE_NONE when it is. `installer` is null when the device has none for its component.
 */
void ota_manifest_check(const struct ota_manifest *manifest, const struct ota_installer *installer, uint64_t floor,
                        struct ota_failure *failure);

#endif
