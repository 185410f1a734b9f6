#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../agent/ota_json.h"
#include "../agent/ota_jws.h"
#include "host.h"

static const char help[] =
    "Runs one device: the OTA agent in C on this machine.\n\n"
    "  flota-device --id ID --dir DIR --mqtt-url mqtts://HOST:PORT --trust FILE --signing-keys FILE [options]\n\n"
    "  --id ID                the device's id, 1 to 64 of A-Z a-z 0-9 _ -\n"
    "  --dir DIR              its own directory: identity, slots, journal; must exist\n"
    "  --mqtt-url URL         the broker\n"
    "  --mqtt VERSION         3.1.1 or 5; default 3.1.1\n"
    "  --trust FILE           PEM of the roots that broker and firmware servers are verified against\n"
    "  --signing-keys FILE    JWKS of the firmware signing keys\n"
    "  --hardware NAME        default esp32s3\n"
    "  --component NAME       default main\n"
    "  --enroll-url URL       first get a certificate from URL/api/issue_cert ...\n"
    "  --token TOKEN          ... with this one-time token\n"
    "  --enroll-trust FILE    PEM of the roots that --enroll-url is verified against; default: the system's\n"
    "  --timing JSON          other timings, as in firmware/virtual/options.ts: '{\"telemetryMs\":60000}'\n"
    "  --limits JSON          other limits\n"
    "  --no-fsync             leave flushing to the operating system\n"
    "  --kill-at-write N      kill -9 itself in the middle of the Nth change of its storage\n"
    "  --hold-install FILE    while FILE is there the application puts installing off; its text says why, after\n"
    "  --hold-reboot FILE     a number for how many ms. The same before the reboot into a new image\n"
    "  --log LEVEL            debug, info, warn or error; default info\n"
    "  --help\n\n"
    "It writes one JSON object a line to stdout and ends on SIGINT or SIGTERM. An image (firmware/virtual/image.ts) may fail its self-test, or crash.\n";

void host_fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)vfprintf(stderr, format, arguments);
  va_end(arguments);
  (void)fputc('\n', stderr);
  exit(1);
}

struct name {
  const char *name;
  size_t offset;
};

#define TIMING(name, field) {name, offsetof(struct host_options, timing.field)}
#define LIMIT(name, field) {name, offsetof(struct host_options, limits.field)}
#define OWN(name, field) {name, offsetof(struct host_options, field)}

static const struct name timings[] = {
    TIMING("reconnectMinMs", reconnect_min_ms),
    TIMING("reconnectMaxMs", reconnect_max_ms),
    TIMING("connectMs", connect_ms),
    TIMING("resendMinMs", resend_min_ms),
    TIMING("resendMaxMs", resend_max_ms),
    TIMING("retryMinMs", retry_min_ms),
    TIMING("retryMaxMs", retry_max_ms),
    TIMING("urlRefreshMinMs", url_refresh_min_ms),
    TIMING("urlRefreshMaxMs", url_refresh_max_ms),
    TIMING("stallMs", stall_ms),
    TIMING("fastChunkMs", fast_chunk_ms),
    TIMING("slowChunkMs", slow_chunk_ms),
    TIMING("checkpointMs", checkpoint_ms),
    TIMING("progressMs", progress_ms),
    TIMING("telemetryMs", telemetry_ms),
    TIMING("selfTestMs", self_test_ms),
    TIMING("renewCheckMs", renew_check_ms),
    TIMING("renewRetryMs", renew_retry_ms),
    TIMING("askAgainMs", ask_again_ms),
    OWN("keepaliveMs", keepalive_ms),
    OWN("rebootMs", reboot_ms),
};

static const struct name limits[] = {
    LIMIT("chunkFloorBytes", chunk_floor_bytes),
    LIMIT("chunkStartBytes", chunk_start_bytes),
    LIMIT("chunkCeilingBytes", chunk_ceiling_bytes),
    LIMIT("checkpointChunks", checkpoint_chunks),
    LIMIT("networkFailures", network_failures),
    LIMIT("responseFailures", response_failures),
    LIMIT("urlRefusals", url_refusals),
    LIMIT("renewedConnects", renewed_connects),
    OWN("trialBoots", trial_boots),
    OWN("slotBytes", slot_bytes),
};

/** Members that the agent in C does not have are passed over: the virtual device knows a few more. */
static void read_numbers(struct host_options *options, const char *option, char *text, const struct name *names,
                         size_t count) {
  static struct ota_json json;
  if (ota_json_object(&json, text, strlen(text)) != OTA_OK) host_fail("%s is not a JSON object", option);
  for (size_t i = 0; i < count; i++) {
    int member = ota_json_member(&json, 0, names[i].name);
    uint64_t number = 0;
    if (member < 0) continue;
    if (ota_json_whole(&json, member, &number) != OTA_OK || number > UINT32_MAX)
      host_fail("%s: %s is not a whole number", option, names[i].name);
    uint32_t value = (uint32_t)number;
    memcpy((char *)options + names[i].offset, &value, sizeof value);
  }
}

static void read_keys(struct host_options *options, const char *path) {
  static struct ota_json json;
  static char text[16384];
  FILE *file = fopen(path, "rb");
  if (!file) host_fail("--signing-keys: cannot read %s", path);
  size_t bytes = fread(text, 1, sizeof text, file);
  (void)fclose(file);
  if (ota_json_object(&json, text, bytes) != OTA_OK) host_fail("--signing-keys is not a JSON object");
  int keys = ota_json_member(&json, 0, "keys");
  for (int it = ota_json_element(&json, keys, keys); it >= 0; it = ota_json_element(&json, keys, it)) {
    if (options->key_count == host_keys_max) host_fail("--signing-keys: at most %d keys", host_keys_max);
    struct ota_signing_key *key = &options->keys[options->key_count++];
    const char *kid = ota_json_text(&json, it, "kid");
    const char *x = ota_json_text(&json, it, "x");
    const char *y = ota_json_text(&json, it, "y");
    if (!kid || strlen(kid) > OTA_KID_MAX || !x || ota_base64url(x, strlen(x), key->xy, 32) != 32 || !y ||
        ota_base64url(y, strlen(y), key->xy + 32, 32) != 32)
      host_fail("--signing-keys: a key is not an ES256 key with a kid");
    ota_text_copy(key->kid, sizeof key->kid, kid);
  }
  if (options->key_count == 0) host_fail("--signing-keys holds no keys");
}

/** mqtts://host:port; the port may be missing. Takes the text apart in place. */
static void read_broker(struct host_options *options, char *url) {
  static const char scheme[] = "mqtts://";
  if (strncmp(url, scheme, sizeof scheme - 1) != 0) host_fail("--mqtt-url must be mqtts://host:port");
  char *host = url + sizeof scheme - 1;
  char *colon = strrchr(host, ':');
  options->mqtt_port = colon ? (int)strtol(colon + 1, NULL, 10) : 8883;
  if (colon) *colon = '\0';
  if (options->mqtt_port < 1 || options->mqtt_port > 65535 || *host == '\0')
    host_fail("--mqtt-url must be mqtts://host:port");
  options->mqtt_host = host;
}

static bool read_version(const char *text) {
  if (strcmp(text, "5") != 0 && strcmp(text, "3.1.1") != 0) host_fail("--mqtt must be 3.1.1 or 5");
  return strcmp(text, "5") == 0;
}

static enum ota_log_level read_level(const char *text) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  for (int i = 0; i < 4; i++)
    if (strcmp(names[i], text) == 0) return (enum ota_log_level)i;
  host_fail("--log must be one of debug, info, warn, error");
}

enum flag {
  OPTION_ID = 1000,
  OPTION_DIR,
  OPTION_MQTT_URL,
  OPTION_MQTT,
  OPTION_TRUST,
  OPTION_SIGNING_KEYS,
  OPTION_HARDWARE,
  OPTION_COMPONENT,
  OPTION_ENROLL_URL,
  OPTION_ENROLL_TRUST,
  OPTION_TOKEN,
  OPTION_TIMING,
  OPTION_LIMITS,
  OPTION_NO_FSYNC,
  OPTION_KILL_AT_WRITE,
  OPTION_HOLD_INSTALL,
  OPTION_HOLD_REBOOT,
  OPTION_LOG,
  OPTION_HELP,
};

static const struct option known[] = {
    {"id", required_argument, NULL, OPTION_ID},
    {"dir", required_argument, NULL, OPTION_DIR},
    {"mqtt-url", required_argument, NULL, OPTION_MQTT_URL},
    {"mqtt", required_argument, NULL, OPTION_MQTT},
    {"trust", required_argument, NULL, OPTION_TRUST},
    {"signing-keys", required_argument, NULL, OPTION_SIGNING_KEYS},
    {"hardware", required_argument, NULL, OPTION_HARDWARE},
    {"component", required_argument, NULL, OPTION_COMPONENT},
    {"enroll-url", required_argument, NULL, OPTION_ENROLL_URL},
    {"enroll-trust", required_argument, NULL, OPTION_ENROLL_TRUST},
    {"token", required_argument, NULL, OPTION_TOKEN},
    {"timing", required_argument, NULL, OPTION_TIMING},
    {"limits", required_argument, NULL, OPTION_LIMITS},
    {"no-fsync", no_argument, NULL, OPTION_NO_FSYNC},
    {"kill-at-write", required_argument, NULL, OPTION_KILL_AT_WRITE},
    {"hold-install", required_argument, NULL, OPTION_HOLD_INSTALL},
    {"hold-reboot", required_argument, NULL, OPTION_HOLD_REBOOT},
    {"log", required_argument, NULL, OPTION_LOG},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static void take(struct host_options *options, int option) {
  switch (option) {
    case OPTION_ID: options->id = optarg; break;
    case OPTION_DIR: options->dir = optarg; break;
    case OPTION_MQTT_URL: read_broker(options, optarg); break;
    case OPTION_MQTT: options->mqtt5 = read_version(optarg); break;
    case OPTION_TRUST: options->trust = optarg; break;
    case OPTION_SIGNING_KEYS: read_keys(options, optarg); break;
    case OPTION_HARDWARE: options->hardware = optarg; break;
    case OPTION_COMPONENT: options->component = optarg; break;
    case OPTION_ENROLL_URL: options->enroll_url = optarg; break;
    case OPTION_ENROLL_TRUST: options->enroll_trust = optarg; break;
    case OPTION_TOKEN: options->token = optarg; break;
    case OPTION_TIMING:
      read_numbers(options, "--timing", optarg, timings, sizeof timings / sizeof timings[0]);
      break;
    case OPTION_LIMITS:
      read_numbers(options, "--limits", optarg, limits, sizeof limits / sizeof limits[0]);
      break;
    case OPTION_NO_FSYNC: options->fsync = false; break;
    case OPTION_KILL_AT_WRITE: options->kill_at_write = strtol(optarg, NULL, 10); break;
    case OPTION_HOLD_INSTALL: options->hold_install = optarg; break;
    case OPTION_HOLD_REBOOT: options->hold_reboot = optarg; break;
    case OPTION_LOG: options->log = read_level(optarg); break;
    case OPTION_HELP:
      (void)fputs(help, stdout);
      exit(0);
    default: exit(1);
  }
}

void host_read_options(struct host_options *options, int count, char **arguments) {
  *options = (struct host_options){
      .hardware = "esp32s3",
      .component = "main",
      .timing = ota_default_timing,
      .limits = ota_default_limits,
      .reboot_ms = 200,
      .keepalive_ms = 60000,
      .trial_boots = 3,
      .slot_bytes = 64u * 1024 * 1024,
      .fsync = true,
      .log = OTA_LOG_INFO,
  };
  for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;) take(options, option);
  if (!options->id || !options->dir || !options->mqtt_host || !options->trust || options->key_count == 0)
    host_fail("--id, --dir, --mqtt-url, --trust and --signing-keys are needed (see --help)");
  if (!ota_is_id(options->id)) host_fail("--id must be 1 to 64 of A-Z a-z 0-9 _ -");
  if (options->enroll_url && !options->token) host_fail("--enroll-url needs --token");
}
