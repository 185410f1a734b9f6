#include "ota_manifest.h"

#include <string.h>

#include "ota_field.h"

/** Copies a string member of 1 to `units` UTF-16 code units. */
static int read_text(struct ota_json *json, const char *name, size_t units, char *target, size_t capacity) {
  const char *text = ota_json_string(json, ota_json_member(json, 0, name));
  if (!text || *text == '\0' || ota_json_units(text) > units || strlen(text) >= capacity) return OTA_ERR_SCHEMA;
  memcpy(target, text, strlen(text) + 1);
  return OTA_OK;
}

static int read_undo(struct ota_json *json, struct ota_manifest *manifest) {
  int undo = ota_json_member(json, 0, "undo");
  manifest->undoes = NULL;
  if (undo < 0) return OTA_OK;
  manifest->undoes = ota_json_text(json, undo, "deployment");
  const char *leaves = ota_json_text(json, undo, "leaves");
  if (!manifest->undoes || !ota_is_uuid(manifest->undoes) || !leaves || !ota_read_sha256(leaves, manifest->leaves))
    return OTA_ERR_SCHEMA;
  return ota_json_whole(json, ota_json_member(json, undo, "expiresUnixMs"), &manifest->expires_unix_ms);
}

int ota_manifest_read(struct ota_json *json, char *payload, size_t bytes, struct ota_manifest *manifest) {
  int error = ota_json_object(json, payload, bytes);
  if (error != OTA_OK) return error;
  struct ota_image *image = &manifest->image;
  if (read_text(json, "component", OTA_COMPONENT_MAX, manifest->component, sizeof manifest->component) != OTA_OK ||
      read_text(json, "hardware", 64, manifest->hardware, sizeof manifest->hardware) != OTA_OK ||
      read_text(json, "version", 64, image->version, sizeof image->version) != OTA_OK ||
      !ota_is_component(manifest->component))
    return OTA_ERR_SCHEMA;
  const char *file_name = ota_json_text(json, 0, "fileName");
  if (!file_name || *file_name == '\0' || ota_json_units(file_name) > 128) return OTA_ERR_SCHEMA;
  const char *sha256 = ota_json_text(json, 0, "sha256");
  if (!sha256 || !ota_read_sha256(sha256, image->sha256)) return OTA_ERR_SCHEMA;
  uint64_t size = 0;
  if (ota_json_whole(json, ota_json_member(json, 0, "size"), &size) != OTA_OK || size == 0) return OTA_ERR_SCHEMA;
  // What does not fit is refused by its size; no slot of this device is larger than 4 GiB.
  image->size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
  error = ota_json_whole(json, ota_json_member(json, 0, "securityVersion"), &image->security_version);
  return error == OTA_OK ? read_undo(json, manifest) : error;
}

void ota_manifest_check(const struct ota_manifest *manifest, const struct ota_installer *installer, uint64_t floor,
                        struct ota_failure *failure) {
  enum ota_failure_code code = OTA_FAILURE_NONE;
  const char *message = "";
  if (!installer) {
    code = OTA_FAILURE_COMPONENT_UNKNOWN;
    message = manifest->component;
  } else if (strcmp(manifest->hardware, installer->hardware) != 0) {
    code = OTA_FAILURE_HARDWARE_MISMATCH;
    message = manifest->hardware;
  } else if (manifest->image.security_version < floor) {
    code = OTA_FAILURE_DOWNGRADE_REFUSED;
    message = "its securityVersion is lower than one that ran";
  } else if (manifest->image.size > installer->slot_bytes) {
    code = OTA_FAILURE_SIZE_MISMATCH;
    message = "larger than a slot";
  }
  ota_failure_set(failure, code, message);
}
