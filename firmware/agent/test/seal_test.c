/** Sealed objects: what is opened, what is not, and how little of it comes twice. */
#include <inttypes.h>

#include "../ota_jws.h"
#include "check.h"
#include "fake_delta.h"
#include "fake_seal.h"

static const uint8_t key44[32] = {0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44,
                                  0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44};

static void read_hex(const char *text, uint8_t *to) {
  for (; *text != '\0'; text += 2) {
    char pair[3] = {text[0], text[1], '\0'};
    *to++ = (uint8_t)strtoul(pair, NULL, 16);
  }
}

/* ENCRYPTION.md: the vectors. The device's key is 32 times 11, the ephemeral one 32 times 22; what they agree on is the port's. */
static const char vector_own[] =
    "0217e617f0b6443928278f96999e69a23a4f2c152bdf6d6cdf66e5b80282d4ed194a7debcb97712d2dda3ca85aa8765a56f45fc758599652f2897c65306e5794";
static const char vector_sent[] =
    "d65a93977caa3d1b081852ff57a79e465f1660577304baead505dd3a48589cf350185e895372df6221ea3a137557e473fddb6755f05bd507c3c533fce9c91285";
static const char vector_agreed[] = "ccfc261f58193c98ca4ad4a53bbac6f0ee29bc4d48438090446908622ca79af6";
static const char vector_wrap[] =
    "BNZak5d8qj0bCBhS_1ennkZfFmBXcwS66tUF3TpIWJzzUBheiVNy32Ih6joTdVfkc_3bZ1XwW9UHw8Uz_OnJEoUq8qpffaICnuZNPYJ8g5rGR6vi7rN_"
    "Hgc3_hZfm5bAnPaKDT-54-iiIURLUucunGY";

static int vector_key(void *ctx, uint8_t *xy) {
  (void)ctx;
  read_hex(vector_own, xy);
  return OTA_OK;
}

static int vector_agree(void *ctx, const uint8_t *xy, uint8_t *secret) {
  uint8_t expected[OTA_ES256_BYTES];
  (void)ctx;
  read_hex(vector_sent, expected);
  if (memcmp(xy, expected, sizeof expected) != 0) return OTA_ERR_SIGNATURE;
  read_hex(vector_agreed, secret);
  return OTA_OK;
}

static int open_vector(uint8_t spoil_info, uint8_t *key) {
  struct fake *fake = fake_new();
  struct ota_port port = fake->port;
  uint8_t wrap[SEAL_WRAP_BYTES];
  uint8_t info[82];
  port.seal_key = vector_key;
  port.seal_agree = vector_agree;
  port.gcm_open = fake_gcm_open;
  CHECK(ota_base64url(vector_wrap, strlen(vector_wrap), wrap, sizeof wrap) == (int)sizeof wrap);
  memcpy(info, "flota seal 1 " DEPLOYMENT " ", 50);
  memset(info + 50, 0x33, 32);
  info[20] ^= spoil_info;
  memcpy(key, wrap + HPKE_POINT_BYTES, 48);
  return ota_hpke_open(&port, wrap, info, sizeof info, key, 32);
}

static void opens_the_vectors(void) {
  static uint8_t plain[10000];
  static uint8_t object[10100];
  static const char small[] = "464c4f544153450100001000000000000000000b05049059e486948fab68c06938c6fc8edd389857c0394f5902e9eb";
  static const char large[] = "952fbb28ef1c241522f8c39e921b896ca7f8644d2b89f9b7692fb9e07fc16e26";
  uint8_t key[48];
  uint8_t expected[47];
  uint8_t digest[32];
  CHECK(open_vector(0, key) == OTA_OK && memcmp(key, key44, sizeof key44) == 0);
  CHECK(open_vector(1, key) == OTA_ERR_SIGNATURE);
  read_hex(small, expected);
  CHECK(fake_seal_object(key44, (const uint8_t *)"hello flota", 11, object) == 47 && memcmp(object, expected, 47) == 0);
  for (unsigned i = 0; i < sizeof plain; i++) plain[i] = (uint8_t)(i * 7 + 3);
  fake_sha256(object, fake_seal_object(key44, plain, sizeof plain, object), digest);
  read_hex(large, expected);
  CHECK(memcmp(digest, expected, sizeof digest) == 0);
}

static bool has_result(struct fake *fake) { return fake_is_quiet(fake) && fake_said(fake, RESULT, "") > 0; }

static void check_updated(struct fake *fake) {
  CHECK(fake_runs_new_image(fake) && fake_is_sound(fake) && fake->activations == 1);
  CHECK(fake_said(fake, RESULT, "\"outcome\":\"succeeded\"") == 1);
}

static struct fake *new_sealed(uint32_t bytes) {
  struct fake *fake = fake_new();
  fake_make_image(fake, bytes, 7);
  fake_seal(fake);
  return fake;
}

static void updates_from_sealed_images(void) {
  static const uint32_t sizes[] = {1, 4095, 4096, 4097, 8192, 20000};
  for (unsigned i = 0; i < 12; i++) {
    struct fake *fake = new_sealed(sizes[i % 6]);
    if (i >= 6) fake_stage_in_slot(fake);
    fake_request(fake, DEPLOYMENT, 1, "");
    fake_run(fake, has_result, 4);
    check_updated(fake);
    // One agreement for all ranges; nothing comes twice, and the object's header not at all.
    CHECK(fake->agreements == 1 && fake->sent_bytes == fake->sealed_bytes - SEAL_HEADER_BYTES);
  }
}

static void asks_for_whole_chunks(void) {
  struct fake *fake = new_sealed(20000);
  fake->limits.chunk_floor_bytes = fake->limits.chunk_start_bytes = 1000;
  fake->limits.chunk_ceiling_bytes = 5000;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 4);
  check_updated(fake);
  CHECK(fake->sent_bytes == fake->sealed_bytes - SEAL_HEADER_BYTES && fake->smallest_range >= 20000 % 4096);
  CHECK(fake_said(fake, RESULT, "\"receivedBytes\":20000,\"redownloadedBytes\":0") == 1);
}

static void goes_on_over_a_bad_network(void) {
  struct fake *fake = new_sealed(20000);
  for (uint32_t i = 0; i < 5; i++) {
    fake_serve(fake, SERVE_CUT, 700 * i);
    fake_serve(fake, SERVE_STALL, 1100 * i);
    fake_serve(fake, SERVE_STATUS, 503);
    fake_serve(fake, SERVE_SHORT, 5000);
    fake_serve(fake, SERVE_OVERLONG, 0);
  }
  fake_serve(fake, SERVE_WHOLE, 0);
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 4);
  check_updated(fake);
}

static void takes_whole_bodies(void) {
  static const enum fake_how how[] = {SERVE_WHOLE, SERVE_WHOLE_UNSIZED};
  for (unsigned i = 0; i < 2; i++) {
    struct fake *fake = new_sealed(9000);
    fake->always.how = how[i];
    fake->piece_bytes = 11;
    fake_request(fake, DEPLOYMENT, 1, "");
    fake_run(fake, has_result, 4);
    check_updated(fake);
  }
}

/** A webhook gives a fresh URL, with a key that is of use, when it is asked. */
static void mend(struct fake *fake, const char *topic, const char *payload) {
  if (strcmp(topic, PROGRESS) != 0 || !strstr(payload, "\"urlExpired\":true")) return;
  fake->seal_flaw = NULL;
  fake_request(fake, DEPLOYMENT, 1, "");
}

static const char *const flaws[] = {"wrong device", "other deployment", "other image", "forged", "no point", "short"};

static void asks_again_for_a_key_of_no_use(void) {
  for (unsigned i = 0; i < 6; i++) {
    struct fake *fake = new_sealed(9000);
    fake->seal_flaw = flaws[i];
    fake->on_publish = mend;
    fake_request(fake, DEPLOYMENT, 1, "");
    fake_run(fake, has_result, 4);
    check_updated(fake);
    CHECK(fake->sent_bytes == fake->sealed_bytes - SEAL_HEADER_BYTES);
  }
}

/** Answers every wish for a fresh URL. */
static void never_mend(struct fake *fake, const char *topic, const char *payload) {
  if (strcmp(topic, PROGRESS) == 0 && strstr(payload, "\"urlExpired\":true")) fake_request(fake, DEPLOYMENT, 1, "");
}

static void gives_up_on_keys_of_no_use(void) {
  for (unsigned i = 0; i < 6; i++) {
    struct fake *fake = new_sealed(9000);
    fake->seal_flaw = flaws[i];
    fake->on_publish = never_mend;
    fake_request(fake, DEPLOYMENT, 1, "");
    fake_run(fake, has_result, 4);
    CHECK(fake_said(fake, RESULT, "\"code\":\"download_failed\",\"message\":\"the URLs were refused\"") == 1);
    // Without the key, nothing is asked for.
    CHECK(!fake_runs_new_image(fake) && fake->requests == 0);
  }
}

/** The URL has expired: first comes one whose key is of no use, then a good one. */
static void err_once(struct fake *fake, const char *topic, const char *payload) {
  if (strcmp(topic, PROGRESS) != 0 || !strstr(payload, "\"urlExpired\":true")) return;
  fake->seal_flaw = fake->agreements == 1 ? "forged" : NULL;
  fake_request(fake, DEPLOYMENT, 1, "");
}

static void opens_the_key_of_each_url(void) {
  struct fake *fake = new_sealed(20000);
  fake_serve(fake, SERVE_HONEST, 0);
  fake_serve(fake, SERVE_STATUS, 403);
  fake->on_publish = err_once;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 4);
  check_updated(fake);
  CHECK(fake->agreements == 3);
}

static void goes_on_in_the_middle_of_a_chunk(void) {
  struct fake *fake = new_sealed(20000);
  // Sectors smaller than a chunk: what is left after the power cut ends within one.
  fake_stage_in_slot(fake);
  fake->limits.checkpoint_chunks = 1;
  fake->timing.checkpoint_ms = 0;
  fake_request(fake, DEPLOYMENT, 1, "");
  bool within = false;
  for (long cut = 8; cut < 40; cut++) {
    fake->armed = true;
    fake->cut_at = fake->writes + cut;
    if (fake_live(fake, has_result)) break;
    // A webhook asks again for what the device has lost with its power.
    if (fake_said(fake, ACK, "") == 0) fake_request(fake, DEPLOYMENT, 1, "");
    within = within || slot_staging_bytes(&fake->slot_staging) % SEAL_CHUNK_BYTES != 0;
  }
  fake->armed = false;
  fake_run(fake, has_result, 4);
  check_updated(fake);
  CHECK(within);
}

static void check_not_genuine(struct fake *fake) {
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 4);
  CHECK(fake_said(fake, RESULT, "\"code\":\"download_failed\",\"message\":\"the sealed object is not genuine\"") == 1);
  CHECK(!fake_runs_new_image(fake) && fake_is_sound(fake));
}

static void refuses_what_is_not_the_object(void) {
  enum { chunk = SEAL_CHUNK_BYTES + 16 };
  static uint8_t held[chunk];
  for (unsigned i = 0; i < 6; i++) {
    struct fake *fake = new_sealed(20000);
    uint8_t *second = fake_sealed_chunk(1);
    memcpy(held, second, chunk);
    switch (i) {
      case 0:  // Two chunks swapped.
        memcpy(second, fake_sealed_chunk(2), chunk);
        memcpy(fake_sealed_chunk(2), held, chunk);
        break;
      case 1:  // One twice.
        memcpy(second, fake_sealed_chunk(0), chunk);
        break;
      case 2:  // A bit of it.
        second[100] ^= 1;
        break;
      case 3:  // A bit of its tag.
        second[SEAL_CHUNK_BYTES] ^= 1;
        break;
      case 4:  // One of another object, under another key.
        fake_make_image(fake, 20000, 8);
        fake_seal_object(key44, fake->image, 20000, fake_sealed_chunk(0) - SEAL_HEADER_BYTES);
        fake_make_image(fake, 20000, 7);
        break;
      default:  // The plain image, and what makes up for its size.
        memcpy(fake_sealed_chunk(0), fake->image, 20000);
        break;
    }
    check_not_genuine(fake);
  }
}

static void refuses_an_object_of_another_size(void) {
  // A shorter object, or a longer one, whatever its key: the manifest says how long it is.
  for (int more = -16; more <= 16; more += 32) {
    struct fake *fake = new_sealed(20000);
    fake->sealed_bytes = (uint32_t)((int)fake->sealed_bytes + more);
    fake_request(fake, DEPLOYMENT, 1, "");
    fake_run(fake, has_result, 4);
    CHECK(fake_said(fake, RESULT, "\"code\":\"size_mismatch\"") == 1 && !fake_runs_new_image(fake));
  }
}

static void goes_on_from_what_was_genuine(void) {
  struct fake *fake = new_sealed(20000);
  fake_sealed_chunk(3)[0] ^= 1;
  check_not_genuine(fake);
  fake_seal(fake);
  fake->sent_bytes = fake->sent_count = 0;
  fake_request(fake, DEPLOYMENT, 2, "");
  fake_run(fake, has_result, 4);
  check_updated(fake);
  CHECK(fake->sent_bytes < 20000 - 2 * SEAL_CHUNK_BYTES);
}

static void trusts_nothing_because_it_opened(void) {
  struct fake *fake = new_sealed(20000);
  // The server seals another image than the one that was signed.
  fake->image[5000] ^= 1;
  fake_seal(fake);
  fake->image[5000] ^= 1;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 4);
  CHECK(fake_said(fake, RESULT, "digest_mismatch") == 1 && !fake_runs_new_image(fake));
}

static void opens_sealed_patches(void) {
  for (unsigned in_slot = 0; in_slot < 2; in_slot++) {
    struct fake *fake = fake_new();
    if (in_slot) fake_stage_in_slot(fake);
    fake_offer(fake, fake_heatshrink);
    fake->inbound_from = fake->inbound_to;
    fake_seal(fake);
    fake_request(fake, DEPLOYMENT, 1, "");
    fake_run(fake, has_result, 4);
    check_updated(fake);
    CHECK(fake_said(fake, RESULT, "\"patch\":\"applied\"") == 1);
  }
}

/** As a webhook does it: the whole image, sealed as well. */
static void send_whole(struct fake *fake, const char *topic, const char *payload) {
  if (strcmp(topic, PROGRESS) != 0 || !strstr(payload, "\"patch\":\"") || !strstr(payload, "\"urlExpired\":true")) return;
  fake->offer = NULL;
  fake_seal(fake);
  fake_request(fake, DEPLOYMENT, 1, "");
}

static void takes_the_image_when_a_patch_is_not_genuine(void) {
  struct fake *fake = fake_new();
  fake_offer(fake, fake_heatshrink);
  fake->inbound_from = fake->inbound_to;
  fake_seal(fake);
  fake_sealed_chunk(0)[7] ^= 1;
  fake->on_publish = send_whole;
  fake_request(fake, DEPLOYMENT, 1, "");
  fake_run(fake, has_result, 4);
  check_updated(fake);
  CHECK(fake_said(fake, RESULT, "\"patch\":\"missing\"") == 1);
}

static void says_that_it_opens_them(void) {
  struct fake *fake = fake_new();
  fake_seal_able(fake);
  fake_run(fake, fake_is_quiet, 2);
  CHECK(fake_said(fake, "status/health", "\"seal\":\"hpke-p256\"") == 1);
  fake = fake_new();
  fake_run(fake, fake_is_quiet, 2);
  CHECK(fake_said(fake, "status/health", "\"seal\"") == 0);
}

static const struct test tests[] = {
    {"the vectors of the specification", opens_the_vectors},
    {"a sealed image of any size is opened and run, and nothing of it comes twice", updates_from_sealed_images},
    {"ranges are of whole chunks, whatever the download asks for", asks_for_whole_chunks},
    {"a sealed image comes over a network that breaks", goes_on_over_a_bad_network},
    {"a server that knows no ranges sends a sealed image all the same", takes_whole_bodies},
    {"a key that is for another device, deployment or image is not used, and another one asked for", asks_again_for_a_key_of_no_use},
    {"without a key that is of use nothing is downloaded, and the attempt ends", gives_up_on_keys_of_no_use},
    {"each URL's key is opened by itself, and one that is of no use is not used because another was", opens_the_key_of_each_url},
    {"a download goes on in the middle of a chunk", goes_on_in_the_middle_of_a_chunk},
    {"chunks that are swapped, repeated, changed or of another object are found, and end the attempt", refuses_what_is_not_the_object},
    {"an object of another size is found before it is opened", refuses_an_object_of_another_size},
    {"the next attempt goes on from the chunks that were genuine", goes_on_from_what_was_genuine},
    {"an image that opened and is not the signed one is not run", trusts_nothing_because_it_opened},
    {"a sealed patch is opened and applied", opens_sealed_patches},
    {"a sealed patch that is not genuine is told of, and the whole image comes instead", takes_the_image_when_a_patch_is_not_genuine},
    {"only a device that can open sealed objects says so", says_that_it_opens_them},
};

RUN_TESTS(tests)
