/**
 * A crash of this process: a signal handler leaves a summary. Addresses are those of the ELF, wherever the program was loaded; calls of
 * libraries are left out.
 */
#include <elf.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

enum { frames_max = 48, stack_bytes = 65536, block_bytes = 65536 };

static const struct {
  int number;
  const char *name;
} signals[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}, {SIGABRT, "SIGABRT"}};

/* Of the linker: the program in memory, with its ELF header in front, and the end of its code. */
extern const char program_start[] __asm__("__executable_start"), etext[];

/* All that the handler needs is made before. */
static struct host_crash_record record;
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
  if (file >= 0 && write(file, &record, sizeof record) == (ssize_t)sizeof record) (void)fsync(file);
  // Its own action is the system's again.
  (void)raise(number);
}

int host_measure_program(uint8_t digest[OTA_SHA256_BYTES]) {
  static uint8_t block[block_bytes];
  int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  void *hash = host_hash_new();
  if (file < 0 || !hash) return OTA_ERR_STORAGE;
  ssize_t bytes = 0;
  while ((bytes = read(file, block, sizeof block)) > 0)
    if (host_hash_update(hash, block, (size_t)bytes) != OTA_OK) break;
  (void)close(file);
  return host_hash_end(hash, digest) == OTA_OK && bytes == 0 ? OTA_OK : OTA_ERR_STORAGE;
}

void host_crash(void) {
  (void)raise(SIGSEGV);
  abort();
}

void host_catch_crashes(struct host *host) {
  static uint8_t stack[stack_bytes];
  void *unwinder[1];
  struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)(SA_ONSTACK | SA_RESETHAND)};
  if (host_prepare_crash(host, &record) != OTA_OK) return;
  host_path(host, host_crash_file, path);
  // The first call loads the unwinder, which a handler must not.
  (void)backtrace(unwinder, 1);
  (void)sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) (void)sigaction(signals[i].number, &action, NULL);
}
