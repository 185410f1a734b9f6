/* crash.c and store.c on this machine, with as much of Zephyr as they call: a restart is a jump back, and RAM stays. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zephyr/fatal.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log_ctrl.h>
#include <zephyr/settings/settings.h>
#include <zephyr/sys/reboot.h>

#include "../src/module.h"
#include "check.h"
#include "ota_agent.h"

static struct {
  char name[32];
  uint8_t data[1024];
  size_t bytes;
} blob;
static bool storage_fails;
static const char *thread_name;
static jmp_buf restart;
static uint8_t next_random;

int settings_save_one(const char *name, const void *value, size_t bytes) {
  if (storage_fails) return -5;
  (void)snprintf(blob.name, sizeof blob.name, "%s", name);
  CHECK(bytes <= sizeof blob.data);
  if (bytes > 0) memcpy(blob.data, value, bytes);
  blob.bytes = bytes;
  return 0;
}

static ssize_t read_blob(void *context, void *data, size_t bytes) {
  (void)context;
  memcpy(data, blob.data, bytes);
  return (ssize_t)bytes;
}

int settings_load_subtree_direct(const char *subtree, settings_load_direct_cb callback, void *param) {
  if (blob.bytes > 0 && strcmp(subtree, blob.name) == 0) (void)callback("", blob.bytes, read_blob, NULL, param);
  return 0;
}

k_tid_t k_current_get(void) { return NULL; }
const char *k_thread_name_get(k_tid_t thread) {
  (void)thread;
  return thread_name;
}
void log_panic(void) {}
void sys_reboot(int type) {
  CHECK(type == SYS_REBOOT_WARM);
  longjmp(restart, 1);
}

static int make_random(void *ctx, uint8_t *data, size_t bytes) {
  (void)ctx;
  memset(data, ++next_random, bytes);
  return OTA_OK;
}

static const struct ota_port port = {.random = make_random};
static struct flota_zephyr zephyr;

static void boot(void) {
  zephyr = (struct flota_zephyr){.port = &port};
  flota_zephyr_expect_crash(NULL);
  flota_zephyr_take_crash(&zephyr);
}

static void crash(unsigned reason, const struct arch_esf *esf) {
  if (setjmp(restart) == 0) k_sys_fatal_error_handler(reason, esf);
}

static const char *told(void) {
  static char buffer[1024];
  struct ota_text text;
  ota_text_begin(&text, buffer, sizeof buffer);
  flota_zephyr_health(&zephyr, &text);
  CHECK(ota_text_end(&text) >= 0);
  return buffer;
}

int main(void) {
  static struct ota_agent agent;
  uint8_t digest[OTA_SHA256_BYTES];
  memset(digest, 0xab, sizeof digest);
  /* RAM after power-on. */
  boot();
  CHECK(!zephyr.crashed && told()[0] == '\0');

  flota_zephyr_expect_crash(digest);
  thread_name = "a name that is too long";
  crash(K_ERR_KERNEL_PANIC, &(struct arch_esf){.basic = {.pc = 0x8000124, .lr = 0x8000201}});
  boot();
  CHECK(zephyr.crashed);
  CHECK(strstr(told(), "\"reason\":\"kernel panic\",\"task\":\"a name that is t\",\"elf\":\"abababab"));
  CHECK(strstr(told(), "\"pc\":\"0x8000124\",\"backtrace\":[\"0x8000124\",\"0x80001ff\"]"));
  char first[1024];
  (void)strcpy(first, told());
  /* The power goes before it is told: it is still there, and the same one. */
  boot();
  CHECK(zephyr.crashed && strcmp(told(), first) == 0);
  flota_zephyr_poll(&zephyr, &agent);
  CHECK(!zephyr.crashed);
  boot();
  CHECK(!zephyr.crashed);

  /* Before it is known what runs, without registers, by an exception of the processor's own. */
  thread_name = NULL;
  crash(17, NULL);
  storage_fails = true;
  boot();
  CHECK(!zephyr.crashed);
  storage_fails = false;
  boot();
  CHECK(strstr(told(), "\"reason\":\"CPU exception (reason 17)\",\"elf\":\"0000") && strstr(told(), "\"pc\":\"0x0\",\"backtrace\":[\"0x0\"]"));
  CHECK(strcmp(told(), first) != 0);
  /* In an interrupt, where lr is how it returns. */
  crash(K_ERR_CPU_EXCEPTION, &(struct arch_esf){.basic = {.pc = 0x8000124, .lr = 0xfffffff9}});
  boot();
  CHECK(strstr(told(), "\"backtrace\":[\"0x8000124\"]"));
  printf("ok - a fatal error is told by the next start, once\n");
  return 0;
}
