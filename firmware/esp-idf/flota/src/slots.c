#include "slots.h"

#include <stdio.h>
#include <string.h>

#include "esp_app_desc.h"
#include "esp_flash_partitions.h"
#include "esp_image_format.h"
#include "esp_log.h"
#include "esp_task_wdt.h"
#include "options.h"
#include "store.h"

static const char tag[] = "flota";

/* One record for each slot, written before its slot is chosen: choosing the slot chooses the record. */
static void record_name(const esp_partition_t *slot, char name[16]) { (void)snprintf(name, 16, "%.9s", slot->label); }

const char *flota_slots_find(struct slots *slots) {
  const esp_partition_t *running = esp_ota_get_running_partition();
  slots->other = esp_ota_get_next_update_partition(NULL);
  if (!slots->other || slots->other == running)
    return "the partition table on this chip has no second OTA slot: ota_0, ota_1 and otadata are needed (flash it by cable once)";
  if (running->subtype == ESP_PARTITION_SUBTYPE_APP_FACTORY) return NULL;
  return slots->other->size == running->size ? NULL : "the two OTA slots on this chip differ in size: an image must fit both";
}

static int measure(struct slots *slots, const esp_partition_t *slot, uint32_t size, uint8_t digest[OTA_SHA256_BYTES]) {
  int error = flota_crypto_sha256_start(slots->crypto);
  for (uint32_t at = 0; at < size && !error;) {
    const uint32_t left = size - at;
    const uint32_t bytes = left < SLOTS_BUFFER_BYTES ? left : SLOTS_BUFFER_BYTES;
    if (esp_partition_read(slot, at, slots->buffer, bytes) != ESP_OK) error = OTA_ERR_STORAGE;
    else error = flota_crypto_sha256_update(slots->crypto, slots->buffer, bytes);
    at += bytes;
    /* Megabytes take a while; not an error when the task is not watched. */
    (void)esp_task_wdt_reset();
  }
  const int end = flota_crypto_sha256_finish(slots->crypto, digest);
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
  const int bytes = flota_store_get(name, image, sizeof *image);
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

bool flota_slots_on_trial(void) {
  esp_ota_img_states_t state = ESP_OTA_IMG_UNDEFINED;
  return esp_ota_get_state_partition(esp_ota_get_running_partition(), &state) == ESP_OK && state == ESP_OTA_IMG_PENDING_VERIFY;
}

int flota_slots_erase_sector(void *ctx, uint32_t offset) {
  const struct slots *slots = ctx;
  if (flota_slots_on_trial()) return OTA_ERR_STORAGE;
  return esp_partition_erase_range(slots->other, offset, slots->other->erase_size) == ESP_OK ? OTA_OK : OTA_ERR_STORAGE;
}

int flota_slots_write(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  const struct slots *slots = ctx;
  return esp_partition_write(slots->other, offset, data, bytes) == ESP_OK ? OTA_OK : OTA_ERR_STORAGE;
}

int flota_slots_read(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  const struct slots *slots = ctx;
  return esp_partition_read(slots->other, offset, data, bytes) == ESP_OK ? OTA_OK : OTA_ERR_INSTALL;
}

/* What patches are applied to. */
static int read_running(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  (void)ctx;
  return esp_partition_read(esp_ota_get_running_partition(), offset, data, bytes) == ESP_OK ? OTA_OK : OTA_ERR_STORAGE;
}

static int begin(void *ctx, const struct ota_image *image) {
  struct slots *slots = ctx;
  if (slots->staged_in_place) return image->size <= slots->other->size ? OTA_OK : OTA_ERR_INSTALL;
  if (slots->open) (void)esp_ota_abort(slots->writing);
  slots->open = false;
  if (image->size > slots->other->size) return OTA_ERR_INSTALL;
  /* Erases sector by sector as it goes, so that no call takes seconds. */
  slots->open = esp_ota_begin(slots->other, OTA_WITH_SEQUENTIAL_WRITES, &slots->writing) == ESP_OK;
  return slots->open ? OTA_OK : OTA_ERR_INSTALL;
}

static int write_part(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  (void)offset;
  const struct slots *slots = ctx;
  if (slots->staged_in_place) return OTA_OK;
  return slots->open && esp_ota_write(slots->writing, data, bytes) == ESP_OK ? OTA_OK : OTA_ERR_INSTALL;
}

/* What was signed may still be for another chip; the boot loader would refuse it, too late to say why. */
static int check_chip(const struct slots *slots) {
  esp_image_header_t header;
  if (esp_partition_read(slots->other, 0, &header, sizeof header) != ESP_OK) return OTA_ERR_INSTALL;
  if (header.magic != ESP_IMAGE_HEADER_MAGIC) {
    ESP_LOGE(tag, "this file is no ESP32 image: it begins with 0x%02x", header.magic);
    return OTA_ERR_IMAGE;
  }
  if (header.chip_id == CONFIG_IDF_FIRMWARE_CHIP_ID) return OTA_OK;
  ESP_LOGE(tag, "this image is for the chip with id 0x%04x; this one is 0x%04x (%s)", (unsigned)header.chip_id,
           (unsigned)CONFIG_IDF_FIRMWARE_CHIP_ID, CONFIG_IDF_TARGET);
  return OTA_ERR_IMAGE;
}

static int finish(void *ctx) {
  struct slots *slots = ctx;
  const int error = check_chip(slots);
  if (slots->staged_in_place) return error;
  if (!slots->open) return OTA_ERR_INSTALL;
  slots->open = false;
  const esp_err_t ended = esp_ota_end(slots->writing);
  if (error) return error;
  return ended == ESP_OK ? OTA_OK : OTA_ERR_INSTALL;
}

/* esp_ota_set_boot_partition also refuses what is no bootable image. */
static int activate(void *ctx, const struct ota_image *image) {
  const esp_partition_t *slot = ((struct slots *)ctx)->other;
  char name[16];
  record_name(slot, name);
  if (flota_store_put(name, image, sizeof *image) != OTA_OK) return OTA_ERR_STORAGE;
  return esp_ota_set_boot_partition(slot) == ESP_OK ? OTA_OK : OTA_ERR_INSTALL;
}

static int trial(void *ctx) {
  (void)ctx;
  return flota_slots_on_trial() ? 1 : 0;
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
  return slots->self_test ? slots->self_test(slots->context) : OTA_OK;
}

static uint32_t may_install(void *ctx, char *reason, size_t capacity) {
  const struct slots *slots = ctx;
  return slots->may_install ? slots->may_install(slots->context, reason, capacity) : OTA_NOW;
}

static uint32_t may_reboot(void *ctx, char *reason, size_t capacity) {
  const struct slots *slots = ctx;
  return slots->may_reboot ? slots->may_reboot(slots->context, reason, capacity) : OTA_NOW;
}

struct ota_installer flota_slots_installer(struct slots *slots, const char *component, const char *hardware) {
  return (struct ota_installer){.ctx = slots,
                                .component = component,
                                .hardware = hardware,
                                .slot_bytes = slots->other->size,
                                .running = running,
                                .begin = begin,
                                .write = write_part,
                                .finish = finish,
                                .read = flota_slots_read,
                                .read_running = read_running,
                                .patch_grain_bytes = slots->other->erase_size,
                                .activate = activate,
                                .trial = trial,
                                .confirm = confirm,
                                .revert = revert,
                                .self_test = self_test,
                                .may_install = may_install,
                                .may_reboot = may_reboot};
}

void flota_slots_give_up_trial(void) {
  if (flota_slots_on_trial()) (void)esp_ota_mark_app_invalid_rollback_and_reboot();
}
