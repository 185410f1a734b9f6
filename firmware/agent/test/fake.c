#include "fake.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

unsigned long check_seed;

static uint64_t uptime_ms(void *ctx) { return ((struct fake *)ctx)->uptime; }

static int64_t unix_ms(void *ctx) {
  const struct fake *fake = ctx;
  return fake->clock_set ? (int64_t)(fake->wall + fake->uptime) : -1;
}

static int make_random(void *ctx, uint8_t *data, size_t bytes) {
  struct fake *fake = ctx;
  if (fake->random_fails) return OTA_ERR_STORAGE;
  for (size_t i = 0; i < bytes; i++) {
    fake->random = fake->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    data[i] = (uint8_t)(fake->random >> 56);
  }
  return OTA_OK;
}

static enum ota_boot_reason boot_reason(void *ctx) {
  (void)ctx;
  return OTA_BOOT_POWER_ON;
}

static void reboot(void *ctx) { ((struct fake *)ctx)->rebooting = true; }

static void write_log(void *ctx, enum ota_log_level level, const char *text) {
  (void)ctx;
  if (getenv("FAKE_LOG")) fprintf(stderr, "    %d %s\n", (int)level, text);
}

static int telemetry(void *ctx, unsigned index, const char **topic, char *fields, size_t capacity) {
  const struct fake *fake = ctx;
  if (index > 0) return OTA_ERR_ABSENT;
  *topic = "status/system";
  snprintf(fields, capacity, "\"uptimeMs\":%" PRIu64, fake->uptime);
  return OTA_OK;
}

static int command(void *ctx, const char *name, const char *args, char *result, size_t capacity) {
  (void)ctx;
  if (strcmp(name, "echo") != 0) return strcmp(name, "break") == 0 ? OTA_ERR_INSTALL : OTA_ERR_ABSENT;
  snprintf(result, capacity, "%s", args);
  return OTA_OK;
}

/* 100 days of life, of which 99 are over when `wall` says so. */
static int cert_validity(void *ctx, struct ota_validity *validity) {
  (void)ctx;
  *validity = (struct ota_validity){.not_before_ms = 0, .not_after_ms = INT64_C(100) * 24 * 3600 * 1000};
  return OTA_OK;
}

static enum ota_renewal_state cert_state(void *ctx) {
  const struct fake *fake = ctx;
  if (fake->issued) return OTA_RENEWAL_ISSUED;
  return fake->pending_key ? OTA_RENEWAL_KEY : OTA_RENEWAL_NONE;
}

static int cert_request(void *ctx, char *csr, size_t capacity) {
  struct fake *fake = ctx;
  if (!fake->pending_key) {
    fake_write(fake);
    fake->pending_key = fake->key + 1 + fake->lives;
    fake_write(fake);
  }
  snprintf(csr, capacity, "CSR of key %d\n", fake->pending_key);
  return OTA_OK;
}

static int cert_store(void *ctx, const char *certificate, const char *chain) {
  struct fake *fake = ctx;
  char expected[64];
  snprintf(expected, sizeof expected, "certificate of key %d", fake->pending_key);
  if (strcmp(certificate, expected) != 0 || strcmp(chain, "chain") != 0) return OTA_ERR_CERTIFICATE;
  fake_write(fake);
  fake->issued = true;
  fake_write(fake);
  return OTA_OK;
}

static int cert_promote(void *ctx) {
  struct fake *fake = ctx;
  fake_write(fake);
  fake->key = fake->pending_key;
  fake->pending_key = 0;
  fake->issued = false;
  // The next one is far from its end.
  fake->wall = 0;
  fake_write(fake);
  return OTA_OK;
}

static int cert_drop(void *ctx) {
  struct fake *fake = ctx;
  fake_write(fake);
  fake->pending_key = 0;
  fake->issued = false;
  fake_write(fake);
  return OTA_OK;
}

static void fill(uint8_t *data, uint32_t bytes, uint32_t seed) {
  uint32_t x = seed * 2654435761u + 1;
  for (uint32_t i = 0; i < bytes; i++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    data[i] = (uint8_t)x;
  }
}

void fake_make_image(struct fake *fake, uint32_t bytes, uint32_t seed) {
  CHECK(bytes <= fake_slot_bytes);
  fake->image_bytes = bytes;
  fill(fake->image, bytes, seed);
}

struct fake *fake_new(void) {
  static struct fake fake;
  memset(&fake, 0, offsetof(struct fake, inbound));
  for (unsigned i = 0; i < OTA_STORE_KEYS; i++) fake.store_bytes[i] = OTA_ERR_ABSENT;
  struct fake_slot *factory = &fake.slots[0];
  factory->present = true;
  factory->image = (struct ota_image){.version = "0.0.0", .security_version = 3, .size = 1000};
  fill(factory->data, 1000, 1);
  fake_sha256(factory->data, 1000, factory->image.sha256);
  fake.unsynced_from = fake.slot_unsynced_from = UINT32_MAX;
  fake.key = 1;
  fake.refused_key = -1;
  fake.wait_reason = fake.request_members = "";
  fake.clock_set = true;
  fake.acking = true;
  fake.answering_renewals = true;
  fake.piece_bytes = 1400;
  fake.ms_per_piece = 1;
  fake.uptime = 1;
  fake.wall = UINT64_C(1);
  fake.random = 42;
  fake.timing = ota_default_timing;
  fake.limits = ota_default_limits;
  fake.limits.chunk_floor_bytes = 2048;
  fake.limits.chunk_start_bytes = 4096;
  fake.limits.chunk_ceiling_bytes = 32768;
  fake_fill_storage(&fake);
  fake_fill_network(&fake.port);
  struct ota_port *port = &fake.port;
  port->ctx = &fake;
  port->cert_validity = cert_validity;
  port->cert_state = cert_state;
  port->cert_request = cert_request;
  port->cert_store = cert_store;
  port->cert_promote = cert_promote;
  port->cert_drop = cert_drop;
  port->uptime_ms = uptime_ms;
  port->unix_ms = unix_ms;
  port->random = make_random;
  port->boot_reason = boot_reason;
  port->reboot = reboot;
  port->log = write_log;
  port->telemetry = telemetry;
  port->command = command;
  for (int i = 0; i < 2; i++) {
    snprintf(fake.keys[i].kid, sizeof fake.keys[i].kid, "fw-%d", i);
    fake_public_key(i, fake.keys[i].xy);
  }
  fake_make_image(&fake, 20000, 7);
  return &fake;
}

/** What was not synced is lost with the power, or some of it, sector by sector. */
static void lose(struct fake *fake, uint8_t *data, uint32_t from, uint32_t to) {
  enum { sector_bytes = 256 };
  for (uint32_t at = from; at < to; at += sector_bytes) {
    fake->disorder = fake->disorder * 1664525u + (fake->disorder > 0 ? 1013904223u : 0);
    if (fake->disorder >> 31) continue;
    memset(data + at, 0xee, to - at < sector_bytes ? to - at : sector_bytes);
  }
}

/** What a bootloader does: an image that did not prove itself in three boots is given up. */
static void boot(struct fake *fake) {
  fake->lives++;
  lose(fake, fake->staging, fake->unsynced_from, fake->staging_bytes);
  lose(fake, fake->slots[fake->slot_written].data, fake->slot_unsynced_from, fake_slot_bytes);
  fake->rebooting = false;
  fake->getting = false;
  fake->connection_open = false;
  fake->connected = false;
  fake->pending_event = OTA_MQTT_NONE;
  if (fake->active != fake->confirmed && ++fake->trial_boots > 3) fake->active = fake->confirmed;
  // Memory holds anything after a reset.
  memset(&fake->agent, 0xa5, sizeof fake->agent);
  memset(fake->inbox, 0xa5, sizeof fake->inbox);
  memset(fake->work, 0xa5, sizeof fake->work);
  memset(fake->journal, 0xa5, sizeof fake->journal);
  memset(fake->url, 0xa5, sizeof fake->url);
  memset(fake->sector, 0xa5, sizeof fake->sector);
  memset(&fake->delta, 0xa5, sizeof fake->delta);
  memset(&fake->seal, 0xa5, sizeof fake->seal);
  if (fake->in_slot) fake_open_slot_staging(fake);
}

static bool live(struct fake *fake, const struct ota_config *config, bool (*done)(struct fake *fake)) {
  if (ota_agent_init(&fake->agent, config) != OTA_OK) {
    fake->uptime += 1000;
    return false;
  }
  for (long polls = 0; polls < 200000; polls++) {
    if (done(fake)) return true;
    if (fake->rebooting) {
      CHECK(ota_agent_ended(&fake->agent));
      return false;
    }
    uint32_t wait = ota_agent_poll(&fake->agent);
    bool has_mail = fake->connected && fake->inbound_from != fake->inbound_to;
    fake->uptime += wait > 0 && !has_mail ? wait : 1;
  }
  FAIL("the device goes round in circles");
}

bool fake_live(struct fake *fake, bool (*done)(struct fake *fake)) {
  struct ota_config config = {
      .port = &fake->port,
      .main = &fake->main,
      .child = fake->has_child ? &fake->child : NULL,
      .keys = fake->keys,
      .key_count = 2,
      .timing = fake->timing,
      .limits = fake->limits,
      .buffers = {.inbox = fake->inbox,
                  .inbox_bytes = sizeof fake->inbox,
                  .work = fake->work,
                  .work_bytes = sizeof fake->work,
                  .journal = fake->journal,
                  .journal_bytes = sizeof fake->journal,
                  .url = fake->url,
                  .delta = &fake->delta,
                  .seal = &fake->seal},
  };
  boot(fake);
  stack_paint();
  bool is_done = setjmp(fake->power) == 0 && live(fake, &config, done);
  stack_measure();
  return is_done;
}

void fake_run(struct fake *fake, bool (*done)(struct fake *fake), int lives) {
  for (int i = 0; i < lives; i++)
    if (fake_live(fake, done)) return;
  FAIL("it never gets there");
}

static uint64_t pass_until;
static bool has_passed(struct fake *fake) { return fake->uptime >= pass_until; }

void fake_pass(struct fake *fake, uint32_t ms) {
  pass_until = fake->uptime + ms;
  fake_run(fake, has_passed, 50);
}

/** `change`: "": a good one. Else `name=value` replaces a member of the manifest, or names another flaw. */
static void write_hex(const uint8_t *digest, char *text) {
  for (unsigned i = 0; i < 32; i++) snprintf(text + (size_t)2 * i, 3, "%02x", digest[i]);
}

/** The signed part of a manifest that tells of a patch: nothing without one. */
static void write_offer(struct fake *fake, char *text, size_t capacity) {
  char base[65];
  char of[80] = "";
  char sha256[65];
  uint8_t digest[32];
  text[0] = '\0';
  if (!fake->offer) return;
  write_hex(fake->slots[strcmp(fake->offer, "other base") == 0 ? 1 : 0].image.sha256, base);
  if (strcmp(fake->offer, "no base") != 0) snprintf(of, sizeof of, "\"base\":\"%s\",", base);
  fake_sha256(fake->patch, fake->patch_bytes, digest);
  write_hex(digest, sha256);
  snprintf(text, capacity, ",\"patch\":{\"format\":\"%s\",%s\"size\":%u,\"sha256\":\"%s\"}",
           strcmp(fake->offer, "other format") == 0 ? "vcdiff" : "detools", of,
           strcmp(fake->offer, "no size") == 0 ? 0 : (unsigned)fake->patch_bytes, sha256);
}

const char *fake_request_text(struct fake *fake, const char *deployment, unsigned attempt, const char *change,
                              const char *url) {
  // Not on the stack, whose depth is measured.
  static char request[4096];
  static char jws[2048];
  static char payload[1024];
  static char offer[300];
  char sha256[65];
  uint8_t digest[32];
  bool child = strcmp(change, "child") == 0;
  const char *hardware = strcmp(change, "hardware") == 0 ? "esp32-c3" : child ? "arduino-uno" : "esp32-s3";
  const char *component = strcmp(change, "component") == 0 ? "radio" : child ? "uno" : "main";
  unsigned security = strcmp(change, "downgrade") == 0 ? 2 : 3;
  unsigned size = strcmp(change, "size") == 0 ? fake_slot_bytes + 1 : fake->image_bytes;
  fake_sha256(fake->image, fake->image_bytes, digest);
  write_hex(digest, sha256);
  write_offer(fake, offer, sizeof offer);
  snprintf(payload, sizeof payload,
           "{\"component\":\"%s\",\"hardware\":\"%s\",\"version\":\"1.0.0\",\"securityVersion\":%u,\"fileName\":\"app.bin\","
           "\"size\":%u,\"sha256\":\"%s\"%s}",
           component, hardware, security, size, sha256, offer);
  int signer = strcmp(change, "stranger") == 0 ? 2 : (int)(attempt % 2);
  char header[64];
  snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"fw-%d\"}", (int)(attempt % 2));
  fake_sign(header, strcmp(change, "payload") == 0 ? "{}" : payload, signer, jws, sizeof jws);
  if (strcmp(change, "forged") == 0) jws[strlen(header) * 4 / 3 + 20] ^= 1;
  snprintf(request, sizeof request,
           "{\"id\":\"r-%u\",\"at\":\"2026-05-04T03:02:01Z\",\"deployment\":\"%s\",\"attempt\":%u,\"manifest\":\"%s\","
           "\"url\":\"%s\",\"urlExpiresAt\":\"2026-05-04T04:02:01Z\"%s}",
           attempt, deployment, attempt, jws, url, fake->request_members);
  return request;
}

void fake_request(struct fake *fake, const char *deployment, unsigned attempt, const char *change) {
  const char *url = strcmp(change, "http") == 0 ? "http://files/app.bin"
                    : fake->offer               ? "https://files.example.com/patch?s=1"
                                                : "https://files.example.com/app.bin?s=1";
  static char sealed[512];
  if (fake->fragment) {
    snprintf(sealed, sizeof sealed, "%s%s", url, fake->fragment(fake, deployment));
    url = sealed;
  }
  fake_deliver(fake, "firmware/download/request", fake_request_text(fake, deployment, attempt, change, url));
}

void fake_undo(struct fake *fake, const char *deployment, unsigned attempt, const char *change) {
  static char request[4096];
  static char jws[2048];
  static char payload[1024];
  static char undo[512];
  char sha256[65];
  char leaves[65];
  uint8_t digest[32];
  fake_sha256(fake->image, strcmp(change, "other image") == 0 ? 100 : fake->image_bytes, digest);
  write_hex(digest, leaves);
  // As it was signed, whatever has become of the slot since.
  write_hex(fake->slots[0].image.sha256, sha256);
  snprintf(undo, sizeof undo, ",\"undo\":{\"deployment\":\"%s\",\"leaves\":\"%s\"%s}",
           strcmp(change, "other deployment") == 0 ? OTHER_DEPLOYMENT : DEPLOYMENT, leaves,
           strcmp(change, "no expiry") == 0 ? "" : strcmp(change, "expired") == 0 ? ",\"expiresUnixMs\":1" : ",\"expiresUnixMs\":1000000000");
  snprintf(payload, sizeof payload,
           "{\"component\":\"main\",\"hardware\":\"%s\",\"version\":\"0.0.0\",\"securityVersion\":%d,\"fileName\":\"app.bin\","
           "\"size\":%u,\"sha256\":\"%s\"%s}",
           strcmp(change, "hardware") == 0 ? "esp32-c3" : "esp32-s3", strcmp(change, "downgrade") == 0 ? 2 : 3,
           (unsigned)fake->slots[0].image.size, sha256, strcmp(change, "no undo") == 0 ? "" : undo);
  fake_sign("{\"alg\":\"ES256\",\"kid\":\"fw-1\"}", payload, strcmp(change, "stranger") == 0 ? 2 : 1, jws, sizeof jws);
  if (strcmp(change, "forged") == 0) jws[80] ^= 1;
  snprintf(request, sizeof request,
           "{\"id\":\"u-%u\",\"at\":\"2026-05-04T03:02:01Z\",\"deployment\":\"%s\",\"attempt\":%u,\"manifest\":\"%s\"}",
           attempt, deployment, attempt, jws);
  fake_deliver(fake, "firmware/download/request", request);
}

void fake_cancel(struct fake *fake, const char *deployment, unsigned attempt) {
  char text[256];
  snprintf(text, sizeof text, "{\"id\":\"c-%u\",\"at\":null,\"deployment\":\"%s\",\"attempt\":%u}", attempt, deployment,
           attempt);
  fake_deliver(fake, "firmware/download/cancel", text);
}

bool fake_is_quiet(struct fake *fake) {
  return fake->connected && fake->agent.journal.count == 0 && fake->inbound_from == fake->inbound_to &&
         fake->agent.journal.state.job.stage == OTA_IDLE && !fake->agent.on_trial && fake->sent_count > 0;
}
