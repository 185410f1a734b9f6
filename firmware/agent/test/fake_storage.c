#include <string.h>

#include "check.h"
#include "fake.h"

void fake_write(struct fake *fake) {
  fake->writes++;
  if (!fake->armed || fake->writes != fake->cut_at) return;
  longjmp(fake->power, 1);
}

/** The next write is the one that the power does not survive: flash keeps half of it. */
static size_t torn(struct fake *fake, size_t bytes) {
  return fake->armed && fake->writes + 1 == fake->cut_at ? bytes / 2 : bytes;
}

static int store_read(void *ctx, enum ota_store_key key, uint8_t *data, size_t capacity) {
  struct fake *fake = ctx;
  if (fake->store_bytes[key] < 0) return OTA_ERR_ABSENT;
  if ((size_t)fake->store_bytes[key] > capacity) return OTA_ERR_SPACE;
  memcpy(data, fake->stores[key], (size_t)fake->store_bytes[key]);
  return fake->store_bytes[key];
}

static int store_write(void *ctx, enum ota_store_key key, const uint8_t *data, size_t bytes) {
  struct fake *fake = ctx;
  CHECK(bytes <= sizeof fake->stores[key]);
  if (fake->store_write_fails) return OTA_ERR_STORAGE;
  fake_write(fake);
  memcpy(fake->stores[key], data, bytes);
  fake->store_bytes[key] = (int)bytes;
  fake_write(fake);
  return OTA_OK;
}

static uint32_t staging_bytes(void *ctx) { return ((struct fake *)ctx)->staging_bytes; }

static int staging_write(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  struct fake *fake = ctx;
  CHECK(offset + bytes <= fake_slot_bytes);
  if (fake->staging_write_fails) return OTA_ERR_STORAGE;
  memcpy(fake->staging + offset, data, torn(fake, bytes));
  // Where half a block was torn, garbage follows.
  if (torn(fake, bytes) < bytes) memset(fake->staging + offset + bytes / 2, 0xee, bytes - bytes / 2);
  if (fake->unsynced_from > offset) fake->unsynced_from = offset;
  if (fake->staging_bytes < offset + bytes) fake->staging_bytes = (uint32_t)(offset + bytes);
  fake_write(fake);
  return OTA_OK;
}

static int staging_read(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  struct fake *fake = ctx;
  if (offset + bytes > fake->staging_bytes) return OTA_ERR_STORAGE;
  memcpy(data, fake->staging + offset, bytes);
  return OTA_OK;
}

static int staging_sync(void *ctx) {
  struct fake *fake = ctx;
  fake_write(fake);
  fake->unsynced_from = UINT32_MAX;
  return OTA_OK;
}

static int staging_clear(void *ctx) {
  struct fake *fake = ctx;
  fake_write(fake);
  fake->staging_bytes = 0;
  memset(fake->staging, 0xff, sizeof fake->staging);
  return OTA_OK;
}

static struct fake_slot *inactive(struct fake *fake) { return &fake->slots[1 - fake->confirmed]; }

/** NOR flash: erasing is torn too, and what is not erased cannot be written. */
static int flash_erase(void *ctx, uint32_t offset) {
  struct fake *fake = ctx;
  CHECK(offset % fake_sector_bytes == 0 && offset < fake_slot_bytes);
  // On trial the other slot is the only way back.
  if (fake->active != fake->confirmed) return OTA_ERR_STORAGE;
  inactive(fake)->present = false;
  memset(inactive(fake)->data + offset, 0xff, torn(fake, fake_sector_bytes));
  fake_write(fake);
  return OTA_OK;
}

static int flash_write(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  struct fake *fake = ctx;
  uint8_t *flash = inactive(fake)->data + offset;
  CHECK(bytes == fake_sector_bytes && offset % fake_sector_bytes == 0 && offset + bytes <= fake_slot_bytes);
  if (fake->staging_write_fails) return OTA_ERR_STORAGE;
  for (size_t i = 0; i < bytes; i++) CHECK(flash[i] == 0xff);
  memcpy(flash, data, torn(fake, bytes));
  fake_write(fake);
  return OTA_OK;
}

static int load_mark(void *ctx, struct slot_staging_mark *mark) {
  const struct fake *fake = ctx;
  *mark = fake->mark;
  return OTA_OK;
}

static int save_mark(void *ctx, const struct slot_staging_mark *mark) {
  struct fake *fake = ctx;
  fake_write(fake);
  fake->mark = *mark;
  fake_write(fake);
  return OTA_OK;
}

static uint32_t in_slot_bytes(void *ctx) { return slot_staging_bytes(&((struct fake *)ctx)->slot_staging); }
static int in_slot_write(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  return slot_staging_write(&((struct fake *)ctx)->slot_staging, offset, data, bytes);
}
static int in_slot_read(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  return slot_staging_read(&((struct fake *)ctx)->slot_staging, offset, data, bytes);
}
static int in_slot_sync(void *ctx) { return slot_staging_sync(&((struct fake *)ctx)->slot_staging); }
static int in_slot_clear(void *ctx) { return slot_staging_clear(&((struct fake *)ctx)->slot_staging); }

/** The image is where it belongs before it is installed: only read back and activated. */
static int nothing_to_begin(void *ctx, const struct ota_image *image) {
  (void)ctx;
  (void)image;
  return OTA_OK;
}

static int nothing_to_write(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  return memcmp(inactive(ctx)->data + offset, data, bytes) == 0 ? OTA_OK : OTA_ERR_INSTALL;
}

static int nothing_to_finish(void *ctx) { return ((struct fake *)ctx)->image_is_foreign ? OTA_ERR_IMAGE : OTA_OK; }

static int slot_running(void *ctx, struct ota_image *image) {
  struct fake *fake = ctx;
  const struct fake_slot *slot = &fake->slots[fake->active];
  *image = slot->image;
  fake_sha256(slot->data, slot->image.size, image->sha256);
  return OTA_OK;
}

static int slot_begin(void *ctx, const struct ota_image *image) {
  struct fake *fake = ctx;
  CHECK(image->size <= fake_slot_bytes);
  fake_write(fake);
  inactive(fake)->present = false;
  memset(inactive(fake)->data, 0xff, fake_slot_bytes);
  fake->slot_written = 1 - fake->confirmed;
  fake_write(fake);
  return OTA_OK;
}

static int slot_write(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  struct fake *fake = ctx;
  CHECK(offset + bytes <= fake_slot_bytes);
  if (fake->slot_write_fails) data = (const uint8_t *)"worn out flash keeps something else than what was written ......";
  memcpy(inactive(fake)->data + offset, data, fake->slot_write_fails ? 16 : torn(fake, bytes));
  if (fake->slot_unsynced_from > offset) fake->slot_unsynced_from = offset;
  fake_write(fake);
  return OTA_OK;
}

static int slot_finish(void *ctx) {
  struct fake *fake = ctx;
  fake_write(fake);
  fake->slot_unsynced_from = UINT32_MAX;
  return fake->image_is_foreign ? OTA_ERR_IMAGE : OTA_OK;
}

static int slot_read(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  memcpy(data, inactive(ctx)->data + offset, bytes);
  return OTA_OK;
}

static int read_running(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  struct fake *fake = ctx;
  const struct fake_slot *slot = &fake->slots[fake->active];
  fake->old_reads++;
  CHECK(offset <= slot->image.size && bytes <= slot->image.size - offset);
  memcpy(data, slot->data + offset, bytes);
  return OTA_OK;
}

static int slot_activate(void *ctx, const struct ota_image *image) {
  struct fake *fake = ctx;
  fake_write(fake);
  struct fake_slot *slot = inactive(fake);
  slot->image = *image;
  slot->present = true;
  fake->active = 1 - fake->confirmed;
  fake->trial_boots = 0;
  fake->activations++;
  fake_write(fake);
  return OTA_OK;
}

static int slot_trial(void *ctx) {
  struct fake *fake = ctx;
  return fake->active != fake->confirmed;
}

static int slot_confirm(void *ctx) {
  struct fake *fake = ctx;
  fake_write(fake);
  fake->confirmed = fake->active;
  fake_write(fake);
  return OTA_OK;
}

static int slot_revert(void *ctx) {
  struct fake *fake = ctx;
  fake_write(fake);
  fake->active = fake->confirmed;
  fake_write(fake);
  return OTA_OK;
}

static int self_test(void *ctx) { return ((struct fake *)ctx)->self_test; }

static uint32_t may_install(void *ctx, char *reason, size_t capacity) {
  struct fake *fake = ctx;
  fake->asked_install++;
  snprintf(reason, capacity, "%s", fake->wait_reason);
  return fake->install_wait;
}

static uint32_t may_reboot(void *ctx, char *reason, size_t capacity) {
  struct fake *fake = ctx;
  fake->asked_reboot++;
  snprintf(reason, capacity, "%s", fake->wait_reason);
  return fake->reboot_wait;
}

static int child_running(void *ctx, struct ota_image *image) {
  struct fake *fake = ctx;
  if (!fake->child_present) return OTA_ERR_ABSENT;
  *image = fake->child_image;
  return OTA_OK;
}

static int child_begin(void *ctx, const struct ota_image *image) {
  struct fake *fake = ctx;
  (void)image;
  fake_write(fake);
  fake->child_present = false;
  fake_write(fake);
  return OTA_OK;
}

static int child_write(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  struct fake *fake = ctx;
  memcpy(fake->child_flash + offset, data, torn(fake, bytes));
  fake_write(fake);
  return OTA_OK;
}

static int child_read(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  memcpy(data, ((struct fake *)ctx)->child_flash + offset, bytes);
  return OTA_OK;
}

static int child_activate(void *ctx, const struct ota_image *image) {
  struct fake *fake = ctx;
  fake_write(fake);
  fake->child_image = *image;
  fake->child_present = true;
  fake_write(fake);
  return OTA_OK;
}

static int child_self_test(void *ctx) { return ((struct fake *)ctx)->child_self_test; }

static int sha256_start(void *ctx) {
  fake_hash_start(&((struct fake *)ctx)->hash);
  return OTA_OK;
}

static int sha256_update(void *ctx, const uint8_t *data, size_t bytes) {
  fake_hash_update(&((struct fake *)ctx)->hash, data, bytes);
  return OTA_OK;
}

static int sha256_finish(void *ctx, uint8_t *digest) {
  fake_hash_finish(&((struct fake *)ctx)->hash, digest);
  return OTA_OK;
}

static const struct ota_installer main_installer = {
    .component = "main",       .hardware = "esp32-s3", .slot_bytes = fake_slot_bytes, .running = slot_running,
    .begin = slot_begin,       .write = slot_write,    .finish = slot_finish,         .read = slot_read,
    .activate = slot_activate, .trial = slot_trial,    .confirm = slot_confirm,       .revert = slot_revert,
    .self_test = self_test, .may_install = may_install, .may_reboot = may_reboot,
    .read_running = read_running, .patch_grain_bytes = fake_sector_bytes,
};

static const struct ota_installer child_installer = {
    .component = "uno", .hardware = "arduino-uno", .slot_bytes = 32256,   .running = child_running,
    .begin = child_begin,   .write = child_write,   .finish = slot_finish, .read = child_read,
    .activate = child_activate, .self_test = child_self_test, .may_install = may_install,
};

void fake_fill_storage(struct fake *fake) {
  struct ota_port *port = &fake->port;
  port->store_read = store_read;
  port->store_write = store_write;
  port->staging_bytes = staging_bytes;
  port->staging_write = staging_write;
  port->staging_read = staging_read;
  port->staging_sync = staging_sync;
  port->staging_clear = staging_clear;
  port->sha256_start = sha256_start;
  port->sha256_update = sha256_update;
  port->sha256_finish = sha256_finish;
  port->es256_verify = fake_verify;
  fake->main = main_installer;
  fake->main.ctx = fake;
  fake->child = child_installer;
  fake->child.ctx = fake;
}

void fake_stage_in_slot(struct fake *fake) {
  struct ota_port *port = &fake->port;
  fake->in_slot = true;
  port->staging_bytes = in_slot_bytes;
  port->staging_write = in_slot_write;
  port->staging_read = in_slot_read;
  port->staging_sync = in_slot_sync;
  port->staging_clear = in_slot_clear;
  fake->main.begin = nothing_to_begin;
  fake->main.write = nothing_to_write;
  fake->main.finish = nothing_to_finish;
}

void fake_open_slot_staging(struct fake *fake) {
  const struct slot_staging_flash flash = {.ctx = fake,
                                           .place = (uint32_t)(inactive(fake) - fake->slots),
                                           .slot_bytes = fake_slot_bytes,
                                           .sector_bytes = fake_sector_bytes,
                                           .erase = flash_erase,
                                           .write = flash_write,
                                           .read = slot_read,
                                           .load_mark = load_mark,
                                           .save_mark = save_mark};
  CHECK(slot_staging_open(&fake->slot_staging, &flash, fake->sector) == OTA_OK);
}

bool fake_runs_new_image(const struct fake *fake) {
  const struct fake_slot *slot = &fake->slots[fake->active];
  return slot->image.size == fake->image_bytes && memcmp(slot->data, fake->image, fake->image_bytes) == 0;
}

bool fake_is_sound(const struct fake *fake) {
  uint8_t digest[32];
  const struct fake_slot *slot = &fake->slots[fake->active];
  fake_sha256(slot->data, slot->image.size, digest);
  return fake->active == fake->confirmed && memcmp(digest, slot->image.sha256, sizeof digest) == 0;
}
