#include "slots.h"

#include <stdio.h>
#include <string.h>

#include "esp_app_desc.h"
#include "esp_flash_partitions.h"
#include "esp_image_format.h"
#include "esp_partition.h"
#include "store.h"

/* One record for each slot, written before its slot is chosen: choosing the slot chooses the record. */
static void record_name(const esp_partition_t *slot, char name[16]) { (void)snprintf(name, 16, "%.9s", slot->label); }

static const esp_partition_t *inactive_slot(void) { return esp_ota_get_next_update_partition(NULL); }

static int measure(struct slots *slots, const esp_partition_t *slot, uint32_t size, uint8_t digest[OTA_SHA256_BYTES]) {
  int error = crypto_sha256_start(slots->crypto);
  for (uint32_t at = 0; at < size && !error;) {
    const uint32_t left = size - at;
    const uint32_t bytes = left < SLOTS_BUFFER_BYTES ? left : SLOTS_BUFFER_BYTES;
    if (esp_partition_read(slot, at, slots->buffer, bytes) != ESP_OK) error = OTA_ERR_STORAGE;
    else error = crypto_sha256_update(slots->crypto, slots->buffer, bytes);
    at += bytes;
  }
  const int end = crypto_sha256_finish(slots->crypto, digest);
  return error ? error : end;
}

/* An image that came by cable has no record: it describes itself, and its length is that of the file that was flashed. */
static int describe_factory_image(const esp_partition_t *slot, struct ota_image *image) {
  const esp_app_desc_t *description = esp_app_get_description();
  const esp_partition_pos_t place = {.offset = slot->address, .size = slot->size};
  esp_image_metadata_t metadata;
  if (esp_image_get_metadata(&place, &metadata) != ESP_OK) return OTA_ERR_STORAGE;
  *image = (struct ota_image){.security_version = description->secure_version, .size = metadata.image_len};
  (void)snprintf(image->version, sizeof image->version, "%.31s", description->version);
  return OTA_OK;
}

/* The digest is always measured; a record that does not fit it is of an image that a cable has replaced. */
static int look_at_running_slot(struct slots *slots) {
  const esp_partition_t *slot = esp_ota_get_running_partition();
  struct ota_image *image = &slots->running;
  uint8_t digest[OTA_SHA256_BYTES];
  char name[16];
  record_name(slot, name);
  const int bytes = store_get(name, image, sizeof *image);
  if (bytes == OTA_ERR_STORAGE) return bytes;
  if (bytes == (int)sizeof *image && image->size <= slot->size) {
    const int error = measure(slots, slot, image->size, digest);
    if (error) return error;
    if (memcmp(digest, image->sha256, sizeof digest) == 0) return OTA_OK;
  }
  const int error = describe_factory_image(slot, image);
  return error ? error : measure(slots, slot, image->size, image->sha256);
}

static int running(void *ctx, struct ota_image *image) {
  struct slots *slots = ctx;
  if (!slots->measured) {
    const int error = look_at_running_slot(slots);
    if (error) return error;
    slots->measured = true;
  }
  *image = slots->running;
  return OTA_OK;
}

static int begin(void *ctx, const struct ota_image *image) {
  struct slots *slots = ctx;
  if (slots->open) (void)esp_ota_abort(slots->writing);
  slots->open = false;
  const esp_partition_t *slot = inactive_slot();
  if (!slot || image->size > slot->size) return OTA_ERR_INSTALL;
  /* Erases sector by sector as it goes, so that no call takes seconds. */
  slots->open = esp_ota_begin(slot, OTA_WITH_SEQUENTIAL_WRITES, &slots->writing) == ESP_OK;
  return slots->open ? OTA_OK : OTA_ERR_INSTALL;
}

static int write_part(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  (void)offset;
  const struct slots *slots = ctx;
  return slots->open && esp_ota_write(slots->writing, data, bytes) == ESP_OK ? OTA_OK : OTA_ERR_INSTALL;
}

/* esp_ota_end also refuses what is no bootable image of this chip. */
static int finish(void *ctx) {
  struct slots *slots = ctx;
  if (!slots->open) return OTA_ERR_INSTALL;
  slots->open = false;
  return esp_ota_end(slots->writing) == ESP_OK ? OTA_OK : OTA_ERR_INSTALL;
}

static int read_part(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  (void)ctx;
  return esp_partition_read(inactive_slot(), offset, data, bytes) == ESP_OK ? OTA_OK : OTA_ERR_INSTALL;
}

static int activate(void *ctx, const struct ota_image *image) {
  (void)ctx;
  const esp_partition_t *slot = inactive_slot();
  char name[16];
  record_name(slot, name);
  if (store_put(name, image, sizeof *image) != OTA_OK) return OTA_ERR_STORAGE;
  return esp_ota_set_boot_partition(slot) == ESP_OK ? OTA_OK : OTA_ERR_INSTALL;
}

static bool on_trial(void) {
  esp_ota_img_states_t state = ESP_OTA_IMG_UNDEFINED;
  return esp_ota_get_state_partition(esp_ota_get_running_partition(), &state) == ESP_OK && state == ESP_OTA_IMG_PENDING_VERIFY;
}

static int trial(void *ctx) {
  (void)ctx;
  return on_trial() ? 1 : 0;
}

static int confirm(void *ctx) {
  (void)ctx;
  return esp_ota_mark_app_valid_cancel_rollback() == ESP_OK ? OTA_OK : OTA_ERR_STORAGE;
}

static int revert(void *ctx) {
  (void)ctx;
  return esp_ota_mark_app_invalid_rollback() == ESP_OK ? OTA_OK : OTA_ERR_STORAGE;
}

static int self_test(void *ctx) {
  const struct slots *slots = ctx;
  return slots->self_test ? slots->self_test(slots->self_test_context) : OTA_OK;
}

struct ota_installer slots_installer(struct slots *slots, const char *component, const char *hardware) {
  const esp_partition_t *slot = inactive_slot();
  return (struct ota_installer){.ctx = slots,
                                .component = component,
                                .hardware = hardware,
                                .slot_bytes = slot ? slot->size : 0,
                                .running = running,
                                .begin = begin,
                                .write = write_part,
                                .finish = finish,
                                .read = read_part,
                                .activate = activate,
                                .trial = trial,
                                .confirm = confirm,
                                .revert = revert,
                                .self_test = self_test};
}

void slots_give_up_trial(void) {
  if (on_trial()) (void)esp_ota_mark_app_invalid_rollback_and_reboot();
}
