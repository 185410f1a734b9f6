/* MCUboot's slots as the agent's main component: the primary runs, the secondary is staged in and swapped on trial. */
#include <stdio.h>
#include <string.h>
#include <zephyr/dfu/mcuboot.h>

#include "module.h"

/* What was given to activate, and what ran then, which was confirmed; the digest tells which of them runs. */
static const char next_record[] = "next";
static const char confirmed_record[] = "confirmed";

static int measure(struct flota_zephyr *zephyr, uint32_t size, uint8_t digest[OTA_SHA256_BYTES]) {
  const struct ota_port *port = zephyr->port;
  uint8_t block[256];
  int error = port->sha256_start(port->ctx);
  for (uint32_t at = 0; at < size && !error;) {
    const uint32_t bytes = size - at < sizeof block ? size - at : (uint32_t)sizeof block;
    error = flash_area_read(zephyr->primary, (off_t)at, block, bytes) == 0 ? port->sha256_update(port->ctx, block, bytes) : OTA_ERR_STORAGE;
    at += bytes;
  }
  const int end = port->sha256_finish(port->ctx, digest);
  return error ? error : end;
}

/* 1: the image that this record describes runs. */
static int is_running(struct flota_zephyr *zephyr, const char *record, struct ota_image *image) {
  uint8_t digest[OTA_SHA256_BYTES];
  const int bytes = flota_zephyr_get(record, image, sizeof *image);
  if (bytes == OTA_ERR_STORAGE) return bytes;
  if (bytes != (int)sizeof *image || image->size > zephyr->primary->fa_size) return 0;
  const int error = measure(zephyr, image->size, digest);
  if (error) return error;
  return memcmp(digest, image->sha256, sizeof digest) == 0;
}

/* An image that came by cable has no record: MCUboot's header says its version and how long it is, without the signature behind it. */
static int describe_by_header(struct flota_zephyr *zephyr, struct ota_image *image) {
  struct mcuboot_img_header header;
  if (boot_read_bank_header(zephyr->primary->fa_id, &header, sizeof header) != 0) return OTA_ERR_STORAGE;
  const struct mcuboot_img_sem_ver *version = &header.h.v1.sem_ver;
  *image = (struct ota_image){.size = header.h.v1.image_size};
  (void)snprintf(image->version, sizeof image->version, "%u.%u.%u", (unsigned)version->major, (unsigned)version->minor, (unsigned)version->revision);
  return measure(zephyr, image->size, image->sha256);
}

static int running(void *ctx, struct ota_image *image) {
  struct flota_zephyr *zephyr = ctx;
  if (!zephyr->measured) {
    int found = is_running(zephyr, next_record, &zephyr->running);
    zephyr->on_trial = found == 1 && !boot_is_img_confirmed();
    if (found == 0) found = is_running(zephyr, confirmed_record, &zephyr->running);
    if (found == 0) found = describe_by_header(zephyr, &zephyr->running) == OTA_OK ? 1 : OTA_ERR_STORAGE;
    if (found < 0) return found;
    zephyr->measured = true;
#ifdef CONFIG_FLOTA_CRASHES
    flota_zephyr_expect_crash(zephyr->running.sha256);
#endif
  }
  *image = zephyr->running;
  return OTA_OK;
}

/* What patches are applied to: MCUboot has swapped it to where it runs. */
static int read_running(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  const struct flota_zephyr *zephyr = ctx;
  return flash_area_read(zephyr->primary, (off_t)offset, data, bytes) == 0 ? OTA_OK : OTA_ERR_STORAGE;
}

/* The image is where it belongs before it is installed: only read back and activated. */
static int begin(void *ctx, const struct ota_image *image) {
  const struct flota_zephyr *zephyr = ctx;
  return image->size <= zephyr->staging.flash.slot_bytes ? OTA_OK : OTA_ERR_INSTALL;
}

static int write_part(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  (void)ctx;
  (void)offset;
  (void)data;
  (void)bytes;
  return OTA_OK;
}

/* MCUboot would refuse what is none of its images, too late to say why. */
static int finish(void *ctx) {
  const struct flota_zephyr *zephyr = ctx;
  struct mcuboot_img_header header;
  return boot_read_bank_header(zephyr->secondary->fa_id, &header, sizeof header) == 0 ? OTA_OK : OTA_ERR_IMAGE;
}

static int read_part(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  const struct flota_zephyr *zephyr = ctx;
  return flash_area_read(zephyr->secondary, (off_t)offset, data, bytes) == 0 ? OTA_OK : OTA_ERR_INSTALL;
}

/* The trailer behind the image is where MCUboot is told; an old one must not speak. */
static int activate(void *ctx, const struct ota_image *image) {
  const struct flota_zephyr *zephyr = ctx;
  const uint32_t trailer = zephyr->staging.flash.slot_bytes;
  /* Not when it is confirmed: the power may go in between, and what it is swapped back to would be known to nobody. */
  if (flota_zephyr_put(confirmed_record, &zephyr->running, sizeof zephyr->running) != OTA_OK) return OTA_ERR_STORAGE;
  if (flota_zephyr_put(next_record, image, sizeof *image) != OTA_OK) return OTA_ERR_STORAGE;
  if (flash_area_erase(zephyr->secondary, (off_t)trailer, zephyr->secondary->fa_size - trailer) != 0) return OTA_ERR_INSTALL;
  return boot_request_upgrade(BOOT_UPGRADE_TEST) == 0 ? OTA_OK : OTA_ERR_INSTALL;
}

static int trial(void *ctx) { return ((const struct flota_zephyr *)ctx)->on_trial ? 1 : 0; }

static int confirm(void *ctx) {
  struct flota_zephyr *zephyr = ctx;
  if (boot_write_img_confirmed() != 0) return OTA_ERR_STORAGE;
  zephyr->on_trial = false;
  return OTA_OK;
}

/* An image that is not confirmed is swapped back at the next start, without being told. */
static int revert(void *ctx) {
  (void)ctx;
  return OTA_OK;
}

static int self_test(void *ctx) {
  const struct flota_zephyr *zephyr = ctx;
  return zephyr->self_test ? zephyr->self_test(zephyr->context) : OTA_OK;
}

static uint32_t may_install(void *ctx, char *reason, size_t capacity) {
  const struct flota_zephyr *zephyr = ctx;
  return zephyr->may_install ? zephyr->may_install(zephyr->context, reason, capacity) : OTA_NOW;
}

static uint32_t may_reboot(void *ctx, char *reason, size_t capacity) {
  const struct flota_zephyr *zephyr = ctx;
  return zephyr->may_reboot ? zephyr->may_reboot(zephyr->context, reason, capacity) : OTA_NOW;
}

struct ota_installer flota_zephyr_installer(struct flota_zephyr *zephyr) {
  return (struct ota_installer){.ctx = zephyr,
                                .component = "main",
                                .hardware = CONFIG_FLOTA_HARDWARE,
                                .slot_bytes = zephyr->staging.flash.slot_bytes,
                                .running = running,
                                .begin = begin,
                                .write = write_part,
                                .finish = finish,
                                .read = read_part,
                                .read_running = read_running,
                                .patch_grain_bytes = CONFIG_FLOTA_SECTOR_BYTES,
                                .activate = activate,
                                .trial = trial,
                                .confirm = confirm,
                                .revert = revert,
                                .self_test = self_test,
                                .may_install = may_install,
                                .may_reboot = may_reboot};
}
