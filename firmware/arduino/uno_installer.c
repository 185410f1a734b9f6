#include "uno_installer.h"

#include <string.h>

enum { ASK_EVERY_MS = 1000, SELF_TEST_MS = 5000, TEMPERATURE_EVERY_MS = 5000, SERVO_TURNS_MS = 1000 };

static uint32_t now_ms(const struct uno_installer *uno) { return uno->line.now_ms(uno->line.context); }

static void ask(const struct uno_installer *uno, const char *request) {
  (void)uno->line.write(uno->line.context, (const uint8_t *)request, strlen(request));
}

static void listen(struct uno_installer *uno) {
  uint8_t bytes[64];
  struct uno_line line;
  const int n = uno->line.read(uno->line.context, bytes, sizeof bytes, 0);
  for (int i = 0; i < n; i++) {
    if (!uno_reader_take(&uno->reader, bytes[i], &line)) continue;
    if (line.kind == UNO_LINE_VERSION) memcpy(uno->version, line.version, sizeof uno->version);
    if (line.kind == UNO_LINE_SERVO) {
      uno->turned = true;
      uno->turned_at_ms = now_ms(uno);
    }
    if (line.kind != UNO_LINE_TEMPERATURE) continue;
    uno->has_temperature = true;
    uno->temperature_tenths = line.tenths;
  }
}

static int running(void *ctx, struct ota_image *image) {
  struct uno_installer *uno = ctx;
  struct uno_record record;
  const int error = uno->load(uno->context, &record);
  if (error) return error;
  if (!record.whole) return OTA_ERR_ABSENT;
  *image = record.image;
  return OTA_OK;
}

static uint32_t may_install(void *ctx, char *reason, size_t capacity) {
  static const char why[] = "the servo moves";
  struct uno_installer *uno = ctx;
  listen(uno);
  const uint32_t since_ms = now_ms(uno) - uno->turned_at_ms;
  uno->turned = uno->turned && since_ms < SERVO_TURNS_MS;
  if (!uno->turned) return OTA_NOW;
  if (capacity >= sizeof why) memcpy(reason, why, sizeof why);
  return SERVO_TURNS_MS - since_ms;
}

static int begin(void *ctx, const struct ota_image *image) {
  struct uno_installer *uno = ctx;
  uno->flashed = false;
  uno->size = 0;
  return image->size > 0 && image->size <= STK500_MAX_IMAGE_BYTES ? OTA_OK : OTA_ERR_INSTALL;
}

static int write_part(void *ctx, uint32_t offset, const uint8_t *data, size_t bytes) {
  struct uno_installer *uno = ctx;
  if (offset != uno->size || bytes > STK500_MAX_IMAGE_BYTES - uno->size) return OTA_ERR_INSTALL;
  memcpy(uno->image + offset, data, bytes);
  uno->size += (uint32_t)bytes;
  return OTA_OK;
}

static int give_image(void *context, uint32_t offset, uint8_t *data, size_t size) {
  const struct uno_installer *uno = context;
  memcpy(data, uno->image + offset, size);
  return 0;
}

/* From now on `read` gives what came out of the Uno's flash. */
static int take_verified(void *context, uint32_t offset, const uint8_t *data, size_t size) {
  struct uno_installer *uno = context;
  memcpy(uno->image + offset, data, size);
  return 0;
}

static void tell_progress(void *context, enum stk500_stage stage, uint32_t done_bytes, uint32_t size_bytes) {
  const struct uno_installer *uno = context;
  if (uno->progress) uno->progress(uno->context, stage, done_bytes, size_bytes);
}

static int finish(void *ctx) {
  struct uno_installer *uno = ctx;
  struct uno_record record = {.whole = false};
  /* What cannot be a sketch leaves the Uno, and what is known of it, as they are. */
  if (uno->size < 2 || !stk500_begins_with_reset_vector(uno->image)) return OTA_ERR_INSTALL;
  /* Said before the Uno is touched: after a power cut it is not believed to run what it ran. */
  if (uno->save(uno->context, &record) != OTA_OK) return OTA_ERR_STORAGE;
  const struct stk500_image image = {.context = uno,
                                     .size_bytes = uno->size,
                                     .read = give_image,
                                     .verified = take_verified,
                                     .progress = tell_progress};
  uno->reader = (struct uno_reader){0};
  uno->version[0] = '\0';
  uno->has_temperature = false;
  uno->turned = false;
  uno->asked = false;
  if (stk500_flash(&uno->line, &image, NULL) != STK500_OK) return OTA_ERR_INSTALL;
  uno->flashed = true;
  return OTA_OK;
}

static int read_part(void *ctx, uint32_t offset, uint8_t *data, size_t bytes) {
  const struct uno_installer *uno = ctx;
  if (!uno->flashed || offset > uno->size || bytes > uno->size - offset) return OTA_ERR_INSTALL;
  memcpy(data, uno->image + offset, bytes);
  return OTA_OK;
}

static int activate(void *ctx, const struct ota_image *image) {
  struct uno_installer *uno = ctx;
  if (!uno->flashed) return OTA_ERR_INSTALL;
  const struct uno_record record = {.image = *image, .whole = true};
  return uno->save(uno->context, &record) == OTA_OK ? OTA_OK : OTA_ERR_STORAGE;
}

/* The sketch must say the version that the manifest promised. */
static int self_test(void *ctx) {
  struct uno_installer *uno = ctx;
  struct ota_image image;
  const int error = running(uno, &image);
  if (error) return error;
  listen(uno);
  if (uno->version[0] != '\0') return strcmp(uno->version, image.version) == 0 ? OTA_OK : OTA_ERR_INSTALL;
  const uint32_t now = now_ms(uno);
  if (!uno->asked) uno->asking_since_ms = now;
  if (uno->asked && now - uno->asking_since_ms >= SELF_TEST_MS) return OTA_ERR_INSTALL;
  if (!uno->asked || now - uno->asked_at_ms >= ASK_EVERY_MS) {
    ask(uno, "version?\n");
    uno->asked_at_ms = now;
  }
  uno->asked = true;
  return OTA_ERR_BUSY;
}

struct ota_installer uno_installer(struct uno_installer *uno, const char *component, const char *hardware) {
  return (struct ota_installer){.ctx = uno,
                                .component = component,
                                .hardware = hardware,
                                .slot_bytes = STK500_MAX_IMAGE_BYTES,
                                .running = running,
                                .begin = begin,
                                .write = write_part,
                                .finish = finish,
                                .read = read_part,
                                .activate = activate,
                                .self_test = self_test,
                                .may_install = may_install};
}

void uno_installer_poll(struct uno_installer *uno) {
  listen(uno);
  const uint32_t now = now_ms(uno);
  if (now - uno->asked_at_ms < TEMPERATURE_EVERY_MS) return;
  ask(uno, "temperature?\n");
  uno->asked_at_ms = now;
}
