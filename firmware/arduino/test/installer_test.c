/* The Uno as a component of the agent, on the simulated Uno. Arguments: optiboot's code, a sketch, its successor. */
#include <string.h>

#include "check.h"
#include "uno_installer.h"
#include "wire.h"

struct store {
  struct uno_record record;
  bool saved;
};

static int load_record(void *context, struct uno_record *record) {
  const struct store *store = context;
  *record = store->record;
  return store->saved ? OTA_OK : OTA_ERR_ABSENT;
}

static int save_record(void *context, const struct uno_record *record) {
  struct store *store = context;
  store->record = *record;
  store->saved = true;
  return OTA_OK;
}

static uint8_t memory[STK500_MAX_IMAGE_BYTES];
static uint8_t file[STK500_MAX_IMAGE_BYTES];

static struct ota_image load_file(const char *path, const char *version) {
  FILE *stream = fopen(path, "rb");
  CHECK(stream);
  struct ota_image image = {.security_version = 1, .size = (uint32_t)fread(file, 1, sizeof file, stream)};
  CHECK(image.size > 0);
  CHECK_EQUAL(fclose(stream), 0);
  (void)snprintf(image.version, sizeof image.version, "%s", version);
  return image;
}

/* As the agent does: in pieces, then read back. */
static int install(const struct ota_installer *child, const struct ota_image *image) {
  CHECK_EQUAL(child->begin(child->ctx, image), OTA_OK);
  for (uint32_t at = 0; at < image->size; at += 1000) {
    const uint32_t left = image->size - at;
    CHECK_EQUAL(child->write(child->ctx, at, file + at, left < 1000 ? left : 1000), OTA_OK);
  }
  const int error = child->finish(child->ctx);
  if (error) return error;
  static uint8_t read_back[STK500_MAX_IMAGE_BYTES];
  CHECK_EQUAL(child->read(child->ctx, 0, read_back, image->size), OTA_OK);
  CHECK_EQUAL(memcmp(read_back, file, image->size), 0);
  return child->activate(child->ctx, image);
}

static int await_self_test(const struct ota_installer *child) {
  int result = OTA_ERR_BUSY;
  while (result == OTA_ERR_BUSY) result = child->self_test(child->ctx);
  return result;
}

int main(int argc, char **argv) {
  CHECK_EQUAL(argc, 4);
  struct simulated_uno uno = uno_start(argv[1]);
  uno_set_sensor_mv(&uno, 710);
  struct wire wire = {.uno = &uno};
  struct store store = {0};
  struct uno_installer owner = {.line = wire_line(&wire), .image = memory, .context = &store, .load = load_record, .save = save_record};
  const struct ota_installer child = uno_installer(&owner, "uno", "arduino-uno");
  struct ota_image now;
  CHECK_EQUAL(child.running(child.ctx, &now), OTA_ERR_ABSENT);
  CHECK_EQUAL(child.read(child.ctx, 0, (uint8_t *)&now, 1), OTA_ERR_INSTALL);

  struct ota_image image = load_file(argv[2], "1.0.0");
  CHECK_EQUAL(install(&child, &image), OTA_OK);
  CHECK_EQUAL(await_self_test(&child), OTA_OK);
  CHECK_EQUAL(child.running(child.ctx, &now), OTA_OK);
  CHECK_EQUAL(strcmp(now.version, "1.0.0"), 0);
  while (!owner.has_temperature) uno_installer_poll(&owner);
  CHECK(owner.temperature_tenths >= 205 && owner.temperature_tenths <= 215);
  (void)puts("ok - an_uno_is_a_component_that_is_installed_tested_and_read");

  memcpy(file, ":100000000C945C", 15);
  image.size = 15;
  CHECK_EQUAL(install(&child, &image), OTA_ERR_INSTALL);
  CHECK_EQUAL(child.running(child.ctx, &now), OTA_OK);
  CHECK_EQUAL(strcmp(now.version, "1.0.0"), 0);
  (void)puts("ok - a_hex_file_is_refused_and_the_uno_is_still_known_to_run_what_it_ran");

  char reason[80] = "";
  CHECK_EQUAL(child.may_install(child.ctx, reason, sizeof reason), OTA_NOW);
  CHECK_EQUAL(owner.line.write(owner.line.context, (const uint8_t *)"servo 90\n", 9), 0);
  while (!owner.turned) uno_installer_poll(&owner);
  const uint32_t wait_ms = child.may_install(child.ctx, reason, sizeof reason);
  CHECK(wait_ms > 0 && wait_ms <= 1000 && strcmp(reason, "the servo moves") == 0);
  while (child.may_install(child.ctx, reason, sizeof reason) != OTA_NOW) uno_installer_poll(&owner);
  (void)puts("ok - an_uno_whose_servo_moves_is_not_flashed");

  wire.cut = true;
  image = load_file(argv[3], "2.0.0");
  CHECK_EQUAL(install(&child, &image), OTA_ERR_INSTALL);
  CHECK_EQUAL(child.running(child.ctx, &now), OTA_ERR_ABSENT);
  CHECK_EQUAL(child.activate(child.ctx, &image), OTA_ERR_INSTALL);
  wire.cut = false;
  (void)puts("ok - an_uno_that_was_being_written_is_not_reported_as_running");

  image = load_file(argv[3], "3.0.0");
  CHECK_EQUAL(install(&child, &image), OTA_OK);
  CHECK_EQUAL(await_self_test(&child), OTA_ERR_INSTALL);
  (void)puts("ok - a_sketch_that_tells_another_version_than_the_manifest_fails_its_self_test");

  image.size = STK500_MAX_IMAGE_BYTES + 1;
  CHECK_EQUAL(child.begin(child.ctx, &image), OTA_ERR_INSTALL);
  uno_stop(&uno);
  return 0;
}
