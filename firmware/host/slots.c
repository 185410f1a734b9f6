/** What a bootloader keeps and does. An image is on trial while `active` is not `confirmed`. */
#include <string.h>

#include "../agent/ota_json.h"
#include "host.h"

struct boot_record {
  char magic[8];
  struct ota_image images[2];
  uint32_t active, confirmed, trial_boots;
};

static const char record_file[] = "boot.bin";
static const char magic[8] = "flota 1";
static const char *const slot_files[] = {"slot-a.img", "slot-b.img"};

enum { image_header_max = 512 };
/** The demo firmware format of the virtual device (firmware/virtual/image.ts). */
static const char image_magic[] = "FLOTA-IMAGE 1\n";

static int load(struct host *host, struct boot_record *record) {
  int bytes = host_read_file(host, record_file, record, sizeof *record);
  if (bytes == OTA_ERR_ABSENT) return OTA_ERR_ABSENT;
  bool good = bytes == (int)sizeof *record && memcmp(record->magic, magic, sizeof magic) == 0 && record->active < 2 &&
              record->confirmed < 2;
  return good ? OTA_OK : OTA_ERR_STORAGE;
}

static int store(struct host *host, const struct boot_record *record) {
  return host_replace_file(host, record_file, record, sizeof *record);
}

static const char *inactive_file(struct host *host, struct boot_record *record) {
  // Never the confirmed one: that is what a rollback needs.
  return load(host, record) == OTA_OK ? slot_files[1 - record->confirmed] : NULL;
}

/** A device leaves the factory with an image in slot A, so that there is always a digest to report. */
static int install_factory_image(struct host *host, struct boot_record *record) {
  uint8_t image[1024];
  memset(image, 0x55, sizeof image);
  int header = snprintf((char *)image, sizeof image, "%s{\"version\":\"0.0.0\",\"selfTest\":\"pass\"}\n", image_magic);
  image[header] = 0x55;
  int error = host_truncate_file(host, slot_files[0], 0);
  if (error == OTA_OK) error = host_write_at(host, slot_files[0], 0, image, sizeof image);
  if (error == OTA_OK) error = host_sync_file(host, slot_files[0]);
  memset(record, 0, sizeof *record);
  memcpy(record->magic, magic, sizeof magic);
  record->images[0] = (struct ota_image){.version = "0.0.0", .size = sizeof image};
  if (error == OTA_OK) error = host_measure(host, slot_files[0], sizeof image, record->images[0].sha256);
  return error == OTA_OK ? store(host, record) : error;
}

int host_slots_boot(struct host *host) {
  struct boot_record record;
  uint8_t digest[OTA_SHA256_BYTES];
  int error = load(host, &record);
  if (error == OTA_ERR_ABSENT) return install_factory_image(host, &record);
  if (error != OTA_OK || record.active == record.confirmed) return error;
  const struct ota_image *image = &record.images[record.active];
  bool intact = host_measure(host, slot_files[record.active], image->size, digest) == OTA_OK &&
                memcmp(digest, image->sha256, sizeof digest) == 0;
  // It had its chances, or is not what was written.
  if (++record.trial_boots > host->options.trial_boots || !intact) record.active = record.confirmed;
  return store(host, &record);
}

static int running(void *ctx, struct ota_image *image) {
  struct host *host = ctx;
  struct boot_record record;
  int error = load(host, &record);
  if (error != OTA_OK) return error;
  *image = record.images[record.active];
  return host_measure(host, slot_files[record.active], image->size, image->sha256);
}

static int begin(void *ctx, const struct ota_image *image) {
  struct boot_record record;
  const char *file = inactive_file(ctx, &record);
  (void)image;
  return file ? host_truncate_file(ctx, file, 0) : OTA_ERR_STORAGE;
}

static int write_slot(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  struct boot_record record;
  const char *file = inactive_file(ctx, &record);
  return file ? host_write_at(ctx, file, offset, data, bytes) : OTA_ERR_STORAGE;
}

static int finish(void *ctx) {
  struct boot_record record;
  const char *file = inactive_file(ctx, &record);
  return file ? host_sync_file(ctx, file) : OTA_ERR_STORAGE;
}

static int read_slot(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  struct boot_record record;
  const char *file = inactive_file(ctx, &record);
  return file ? host_read_at(ctx, file, offset, data, bytes) : OTA_ERR_STORAGE;
}

static int read_running(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  struct boot_record record;
  int error = load(ctx, &record);
  return error == OTA_OK ? host_read_at(ctx, slot_files[record.active], offset, data, bytes) : error;
}

static int activate(void *ctx, const struct ota_image *image) {
  struct boot_record record;
  int error = load(ctx, &record);
  if (error != OTA_OK) return error;
  record.active = 1 - record.confirmed;
  record.images[record.active] = *image;
  record.trial_boots = 0;
  return store(ctx, &record);
}

static int trial(void *ctx) {
  struct boot_record record;
  int error = load(ctx, &record);
  return error == OTA_OK ? record.active != record.confirmed : error;
}

static int confirm(void *ctx) {
  struct boot_record record;
  int error = load(ctx, &record);
  record.confirmed = record.active;
  return error == OTA_OK ? store(ctx, &record) : error;
}

static int revert(void *ctx) {
  struct boot_record record;
  int error = load(ctx, &record);
  record.active = record.confirmed;
  return error == OTA_OK ? store(ctx, &record) : error;
}

/** What the running image says about itself, in the demo format; others say nothing: OTA_ERR_ABSENT. `text` is where the JSON is read. */
static int read_header(struct host *host, struct ota_json *json, char text[image_header_max + 1]) {
  struct boot_record record;
  int error = load(host, &record);
  if (error != OTA_OK) return error;
  uint32_t size = record.images[record.active].size;
  size_t bytes = size < image_header_max ? size : image_header_max;
  error = host_read_at(host, slot_files[record.active], 0, text, bytes);
  if (error != OTA_OK) return error;
  text[bytes] = '\0';
  size_t magic_bytes = sizeof image_magic - 1;
  if (bytes < magic_bytes || memcmp(text, image_magic, magic_bytes) != 0) return OTA_ERR_ABSENT;
  char *line = text + magic_bytes;
  char *end = strchr(line, '\n');
  return end && ota_json_object(json, line, (size_t)(end - line)) == OTA_OK ? OTA_OK : OTA_ERR_ABSENT;
}

static int self_test(void *ctx) {
  static struct ota_json json;
  char text[image_header_max + 1];
  int error = read_header(ctx, &json, text);
  if (error != OTA_OK) return error == OTA_ERR_ABSENT ? OTA_OK : error;
  const char *verdict = ota_json_text(&json, 0, "selfTest");
  if (verdict && strcmp(verdict, "busy") == 0) return OTA_ERR_BUSY;
  return verdict && strcmp(verdict, "fail") == 0 ? OTA_ERR_INSTALL : OTA_OK;
}

uint64_t host_crash_after_ms(struct host *host) {
  static struct ota_json json;
  char text[image_header_max + 1];
  uint64_t after_ms = UINT64_MAX;
  if (read_header(host, &json, text) != OTA_OK) return UINT64_MAX;
  int crash = ota_json_member(&json, 0, "crash");
  int after = crash < 0 ? crash : ota_json_member(&json, crash, "afterMs");
  return after >= 0 && ota_json_whole(&json, after, &after_ms) == OTA_OK ? after_ms : UINT64_MAX;
}

static const char staging_file[] = "staging.img";

static uint32_t staging_bytes(void *ctx) { return host_file_bytes(ctx, staging_file); }

static int staging_write(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  return host_write_at(ctx, staging_file, offset, data, bytes);
}

static int staging_read(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  return host_read_at(ctx, staging_file, offset, data, bytes);
}

static int staging_sync(void *ctx) { return host_sync_file(ctx, staging_file); }

static int staging_clear(void *ctx) { return host_remove_file(ctx, staging_file); }

static const char *const store_files[OTA_STORE_KEYS] = {"journal.bin", "checkpoint.bin", "url.txt", "keep.bin",
                                                         "keep-copy.bin"};

static int store_read(void *ctx, enum ota_store_key key, uint8_t *data, size_t capacity) {
  return host_read_file(ctx, store_files[key], data, capacity);
}

static int store_write(void *ctx, enum ota_store_key key, const uint8_t *data, size_t bytes) {
  return host_replace_file(ctx, store_files[key], data, bytes);
}

void host_fill_slots(struct host *host) {
  host->main = (struct ota_installer){
      .ctx = host,
      .component = host->options.component,
      .hardware = host->options.hardware,
      .slot_bytes = host->options.slot_bytes,
      .running = running,
      .begin = begin,
      .write = write_slot,
      .finish = finish,
      .read = read_slot,
      .activate = activate,
      .trial = trial,
      .confirm = confirm,
      .revert = revert,
      .self_test = self_test,
      .read_running = read_running,
  };
  struct ota_port *port = &host->port;
  port->staging_bytes = staging_bytes;
  port->staging_write = staging_write;
  port->staging_read = staging_read;
  port->staging_sync = staging_sync;
  port->staging_clear = staging_clear;
  port->store_read = store_read;
  port->store_write = store_write;
}
