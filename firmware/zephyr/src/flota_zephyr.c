#include "module.h"

#include <zephyr/dfu/mcuboot.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/random/random.h>
#include <zephyr/settings/settings.h>
#include <zephyr/sys/reboot.h>

LOG_MODULE_REGISTER(flota);

static const char mark_record[] = "staged";
static uint8_t sector[CONFIG_FLOTA_SECTOR_BYTES];

/* On trial the secondary slot holds the old image: the way back. */
static int erase(void *ctx, uint32_t offset) {
  const struct flota_zephyr *zephyr = ctx;
  if (zephyr->on_trial) return OTA_ERR_STORAGE;
  return flash_area_erase(zephyr->secondary, (off_t)offset, CONFIG_FLOTA_SECTOR_BYTES) == 0 ? OTA_OK : OTA_ERR_STORAGE;
}
static int write_sector(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  const struct flota_zephyr *zephyr = ctx;
  return flash_area_write(zephyr->secondary, (off_t)offset, data, bytes) == 0 ? OTA_OK : OTA_ERR_STORAGE;
}
static int read_flash(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  const struct flota_zephyr *zephyr = ctx;
  return flash_area_read(zephyr->secondary, (off_t)offset, data, bytes) == 0 ? OTA_OK : OTA_ERR_STORAGE;
}
static int load_mark(void *ctx, struct slot_staging_mark *mark) {
  (void)ctx;
  const int bytes = flota_zephyr_get(mark_record, mark, sizeof *mark);
  if (bytes == OTA_ERR_STORAGE) return bytes;
  return bytes == (int)sizeof *mark ? OTA_OK : OTA_ERR_ABSENT;
}
static int save_mark(void *ctx, const struct slot_staging_mark *mark) {
  (void)ctx;
  return flota_zephyr_put(mark_record, mark, sizeof *mark);
}

static uint32_t on_staging_bytes(void *ctx) { return slot_staging_bytes(&((struct flota_zephyr *)ctx)->staging); }
static int on_staging_write(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  return slot_staging_write(&((struct flota_zephyr *)ctx)->staging, offset, data, bytes);
}
static int on_staging_read(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  return slot_staging_read(&((struct flota_zephyr *)ctx)->staging, offset, data, bytes);
}
static int on_staging_sync(void *ctx) { return slot_staging_sync(&((struct flota_zephyr *)ctx)->staging); }
static int on_staging_clear(void *ctx) { return slot_staging_clear(&((struct flota_zephyr *)ctx)->staging); }

static const char *name_of(enum ota_store_key key) {
  static const char *const names[OTA_STORE_KEYS] = {"journal", "checkpoint", "url", "keep", "keep-copy"};
  return names[key];
}
static int on_store_read(void *ctx, enum ota_store_key key, uint8_t *data, size_t capacity) {
  (void)ctx;
  return flota_zephyr_get(name_of(key), data, capacity);
}
static int on_store_write(void *ctx, enum ota_store_key key, const uint8_t *data, size_t bytes) {
  (void)ctx;
  return flota_zephyr_put(name_of(key), data, bytes);
}

static uint64_t on_uptime_ms(void *ctx) {
  (void)ctx;
  return (uint64_t)k_uptime_get();
}
static int on_random(void *ctx, uint8_t *data, size_t bytes) {
  (void)ctx;
  return sys_csrand_get(data, bytes) == 0 ? OTA_OK : OTA_ERR_STORAGE;
}
static void on_reboot(void *ctx) {
  (void)ctx;
  sys_reboot(SYS_REBOOT_COLD);
}

static int open_staging(struct flota_zephyr *zephyr) {
  /* What is behind belongs to MCUboot. */
  const ssize_t trailer = boot_get_area_trailer_status_offset(zephyr->secondary->fa_id);
  if (trailer <= 0 || zephyr->secondary->fa_size % CONFIG_FLOTA_SECTOR_BYTES != 0) {
    LOG_ERR("the secondary slot (%zu bytes) is no multiple of CONFIG_FLOTA_SECTOR_BYTES, or has no room for MCUboot's trailer",
            zephyr->secondary->fa_size);
    return OTA_ERR_ARGUMENT;
  }
  const struct slot_staging_flash flash = {.ctx = zephyr,
                                           .place = zephyr->secondary->fa_id,
                                           .slot_bytes = (uint32_t)trailer / CONFIG_FLOTA_SECTOR_BYTES * CONFIG_FLOTA_SECTOR_BYTES,
                                           .sector_bytes = CONFIG_FLOTA_SECTOR_BYTES,
                                           .erase = erase,
                                           .write = write_sector,
                                           .read = read_flash,
                                           .load_mark = load_mark,
                                           .save_mark = save_mark};
  return slot_staging_open(&zephyr->staging, &flash, sector);
}

int flota_zephyr_open(struct flota_zephyr *zephyr, struct ota_port *port) {
  if (settings_subsys_init() != 0) {
    LOG_ERR("the settings subsystem does not start: is there a storage partition?");
    return OTA_ERR_STORAGE;
  }
  if (flash_area_open(FIXED_PARTITION_ID(slot0_partition), &zephyr->primary) != 0 ||
      flash_area_open(FIXED_PARTITION_ID(slot1_partition), &zephyr->secondary) != 0) {
    LOG_ERR("slot0_partition and slot1_partition are needed in the device tree");
    return OTA_ERR_STORAGE;
  }
  zephyr->port = port;
  port->staging_bytes = on_staging_bytes;
  port->staging_write = on_staging_write;
  port->staging_read = on_staging_read;
  port->staging_sync = on_staging_sync;
  port->staging_clear = on_staging_clear;
  port->store_read = on_store_read;
  port->store_write = on_store_write;
  port->uptime_ms = on_uptime_ms;
  port->random = on_random;
  port->reboot = on_reboot;
#ifdef CONFIG_FLOTA_ENCRYPTION
  flota_zephyr_fill_sealing(port);
#endif
#ifdef CONFIG_FLOTA_CRASHES
  if (!port->health) port->health = flota_zephyr_health;
  flota_zephyr_take_crash(zephyr);
#endif
  return open_staging(zephyr);
}
