/**
 * A crash of this process, as a core dump would keep it: a signal handler leaves a summary, and the next start tells it. Addresses are those
 * of the ELF, wherever the program was loaded; calls of libraries are left out.
 */
#include <elf.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

enum { frames_max = 48, stack_bytes = 65536, block_bytes = 65536 };

struct crash_record {
  char magic[8];
  struct ota_crash crash;
};

static const char record_file[] = "crash.bin";
static const char magic[8] = "crash 1";
static const struct {
  int number;
  const char *name;
} signals[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}, {SIGABRT, "SIGABRT"}};

/* Of the linker: the program in memory, with its ELF header in front, and the end of its code. */
extern const char program_start[] __asm__("__executable_start"), etext[];

/* All that the handler needs is made before. */
static struct crash_record record;
static char path[host_path_max];

static uint64_t load_bias(void) {
  const Elf64_Ehdr *header = (const Elf64_Ehdr *)program_start;
  return header->e_type == ET_DYN ? (uint64_t)(uintptr_t)program_start : 0;
}

/** The first frames are the handler and what the system calls it by, the next is where it was, all others are where calls return to. */
static void note_frames(struct ota_crash *crash) {
  enum { of_the_handler = 2 };
  void *frames[frames_max];
  int count = backtrace(frames, frames_max);
  for (int i = of_the_handler; i < count && crash->depth < OTA_CRASH_FRAMES; i++) {
    uint64_t at = (uint64_t)(uintptr_t)frames[i];
    if (at < (uint64_t)(uintptr_t)program_start || at >= (uint64_t)(uintptr_t)etext) continue;
    crash->backtrace[crash->depth++] = at - load_bias() - (i > of_the_handler ? 1 : 0);
  }
  crash->pc = crash->depth > 0 ? crash->backtrace[0] : 0;
}

static void on_crash(int number) {
  struct ota_crash *crash = &record.crash;
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
    if (signals[i].number == number) memcpy(crash->reason, signals[i].name, strlen(signals[i].name) + 1);
  note_frames(crash);
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  // One that is cut short is of another size, and none.
  if (file >= 0 && write(file, &record, sizeof record) == (ssize_t)sizeof record) (void)fsync(file);
  // Its own action is the system's again.
  (void)raise(number);
}

static int measure_program(char elf[65]) {
  static const char digits[] = "0123456789abcdef";
  static uint8_t block[block_bytes];
  uint8_t digest[OTA_SHA256_BYTES];
  int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  void *hash = host_hash_new();
  if (file < 0 || !hash) return OTA_ERR_STORAGE;
  ssize_t bytes = 0;
  while ((bytes = read(file, block, sizeof block)) > 0)
    if (host_hash_update(hash, block, (size_t)bytes) != OTA_OK) break;
  (void)close(file);
  if (host_hash_end(hash, digest) != OTA_OK || bytes != 0) return OTA_ERR_STORAGE;
  for (size_t i = 0; i < sizeof digest; i++) {
    elf[2 * i] = digits[digest[i] >> 4];
    elf[2 * i + 1] = digits[digest[i] & 15];
  }
  return OTA_OK;
}

static void catch_crashes(struct host *host) {
  static uint8_t stack[stack_bytes];
  char id[OTA_RANDOM_ID_CHARS + 1];
  void *unwinder[1];
  struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)(SA_ONSTACK | SA_RESETHAND)};
  if (ota_random_id(&host->port, id) != OTA_OK || measure_program(record.crash.elf) != OTA_OK) return;
  memcpy(record.magic, magic, sizeof magic);
  memcpy(record.crash.id, id, sizeof id);
  host_path(host, record_file, path);
  // The first call loads the unwinder, which a handler must not.
  (void)backtrace(unwinder, 1);
  (void)sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) (void)sigaction(signals[i].number, &action, NULL);
}

static void health(void *ctx, struct ota_text *text) {
  const struct host *host = ctx;
  if (host->crashed) ota_crash_write(&host->crash, text);
}

static enum ota_boot_reason boot_reason(void *ctx) {
  return ((const struct host *)ctx)->crashed ? OTA_BOOT_WATCHDOG : OTA_BOOT_POWER_ON;
}

static void polled(struct host *host, struct ota_agent *agent) {
  if (host->crashed && ota_crash_poll(&host->crash, agent)) host->crashed = host_remove_file(host, record_file) != OTA_OK;
}

void host_fill_crash(struct host *host) {
  struct crash_record last;
  host->port.health = health;
  host->port.boot_reason = boot_reason;
  host->polled = polled;
  host->crashed = host_read_file(host, record_file, &last, sizeof last) == (int)sizeof last &&
                  memcmp(last.magic, magic, sizeof magic) == 0;
  if (host->crashed) host->crash = last.crash;
  catch_crashes(host);
}
