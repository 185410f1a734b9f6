/* slots.c on this machine: MCUboot swaps two arrays, and the power may go at any write. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zephyr/dfu/mcuboot.h>

#include "../src/module.h"
#include "check.h"

enum { SLOT_BYTES = 8 * CONFIG_FLOTA_SECTOR_BYTES, RECORDS = 4, SIGNATURE_BYTES = 100 };

static uint8_t flash[2][SLOT_BYTES];
static const struct flash_area areas[2] = {{.fa_id = 0, .fa_size = SLOT_BYTES}, {.fa_id = 1, .fa_size = SLOT_BYTES}};
static bool requested, confirmed = true;
static struct {
  const char *name;
  uint8_t data[sizeof(struct ota_image)];
  size_t bytes;
} records[RECORDS];
static jmp_buf power;
static int writes_left;

static void write_or_die(void) {
  if (writes_left-- == 0) longjmp(power, 1);
}

int flash_area_read(const struct flash_area *area, off_t at, void *data, size_t bytes) {
  memcpy(data, flash[area->fa_id] + at, bytes);
  return 0;
}
int flash_area_erase(const struct flash_area *area, off_t at, size_t bytes) {
  write_or_die();
  memset(flash[area->fa_id] + at, 0xff, bytes);
  return 0;
}
int boot_read_bank_header(uint8_t id, struct mcuboot_img_header *header, size_t bytes) {
  (void)id;
  memset(header, 0, bytes);
  header->h.v1.image_size = 1000 - SIGNATURE_BYTES;
  return 0;
}
bool boot_is_img_confirmed(void) { return confirmed; }
int boot_write_img_confirmed(void) {
  write_or_die();
  confirmed = true;
  return 0;
}
int boot_request_upgrade(int permanent) {
  CHECK(permanent == BOOT_UPGRADE_TEST);
  write_or_die();
  requested = true;
  return 0;
}
int flota_zephyr_put(const char *name, const void *data, size_t bytes) {
  write_or_die();
  for (int i = 0; i < RECORDS; i++) {
    if (records[i].name && strcmp(records[i].name, name) != 0) continue;
    records[i].name = name;
    memcpy(records[i].data, data, bytes);
    records[i].bytes = bytes;
    return 0;
  }
  return OTA_ERR_STORAGE;
}
int flota_zephyr_get(const char *name, void *data, size_t bytes) {
  for (int i = 0; i < RECORDS; i++) {
    if (!records[i].name || strcmp(records[i].name, name) != 0) continue;
    CHECK(records[i].bytes <= bytes);
    memcpy(data, records[i].data, records[i].bytes);
    return (int)records[i].bytes;
  }
  return OTA_ERR_ABSENT;
}

/* Good enough to tell the images of this test apart. */
static uint8_t sum[OTA_SHA256_BYTES];
static int start(void *ctx) {
  (void)ctx;
  memset(sum, 0, sizeof sum);
  return 0;
}
static int update(void *ctx, const uint8_t *data, size_t bytes) {
  (void)ctx;
  for (size_t i = 0; i < bytes; i++) sum[i % sizeof sum] = (uint8_t)(sum[i % sizeof sum] * 31 + data[i]);
  return 0;
}
static int finish(void *ctx, uint8_t *digest) {
  (void)ctx;
  memcpy(digest, sum, sizeof sum);
  return 0;
}
static const struct ota_port port = {.sha256_start = start, .sha256_update = update, .sha256_finish = finish};

/* A start of the processor: MCUboot swaps in what was asked for, and back what was not confirmed. */
static struct flota_zephyr zephyr;
static struct ota_installer boot(struct ota_image *running) {
  static uint8_t other[SLOT_BYTES];
  if (requested || !confirmed) {
    memcpy(other, flash[0], SLOT_BYTES);
    memcpy(flash[0], flash[1], SLOT_BYTES);
    memcpy(flash[1], other, SLOT_BYTES);
    confirmed = !requested;
    requested = false;
  }
  zephyr = (struct flota_zephyr){.primary = &areas[0], .secondary = &areas[1], .port = &port};
  zephyr.staging.flash.slot_bytes = SLOT_BYTES - CONFIG_FLOTA_SECTOR_BYTES;
  const struct ota_installer installer = flota_zephyr_installer(&zephyr);
  CHECK(installer.running(&zephyr, running) == OTA_OK);
  return installer;
}

static struct ota_image make_image(uint8_t fill) {
  struct ota_image image = {.security_version = fill, .size = 1000};
  (void)snprintf(image.version, sizeof image.version, "%d.0.0", fill);
  memset(flash[1], fill, image.size);
  (void)start(NULL);
  for (uint32_t at = 0; at < image.size; at += 256) (void)update(NULL, flash[1] + at, image.size - at < 256 ? image.size - at : 256);
  (void)finish(NULL, image.sha256);
  return image;
}

static bool same(const struct ota_image *one, const struct ota_image *other) {
  return strcmp(one->version, other->version) == 0 && one->security_version == other->security_version && one->size == other->size &&
         memcmp(one->sha256, other->sha256, sizeof one->sha256) == 0;
}

/* From one image of ours to the next, which is confirmed; the power goes at this write. False: there were fewer. */
static bool dies(int write) {
  struct ota_image running;
  requested = false;
  confirmed = true;
  memset(records, 0, sizeof records);
  writes_left = 1000;
  struct ota_installer installer = boot(&running);
  const struct ota_image first = make_image(1);
  CHECK(installer.activate(&zephyr, &first) == OTA_OK);
  installer = boot(&running);
  CHECK(same(&running, &first) && installer.trial(&zephyr) == 1 && installer.confirm(&zephyr) == OTA_OK);
  const struct ota_image second = make_image(2);
  writes_left = write;
  if (setjmp(power) == 0) {
    CHECK(installer.activate(&zephyr, &second) == OTA_OK);
    installer = boot(&running);
    CHECK(same(&running, &second) && installer.confirm(&zephyr) == OTA_OK);
    return false;
  }
  writes_left = 1000;
  /* Whatever runs after two starts is one of the two, and known by all that was said of it. */
  for (int starts = 0; starts < 2; starts++) {
    (void)boot(&running);
    CHECK(same(&running, flash[0][0] == 1 ? &first : &second));
  }
  return true;
}

int main(void) {
  int write = 0;
  while (dies(write)) write++;
  CHECK(write >= 4);
  puts("ok - what runs is known by its record whenever the power goes");
  return 0;
}
