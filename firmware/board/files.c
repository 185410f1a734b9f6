/** The board's flash: files of whoever runs the emulator, by semihosting, which has no way to flush them to a disk. */
#include <semihost.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"

void host_path(const struct host *host, const char *name, char path[host_path_max]) {
  int length = snprintf(path, host_path_max, "%s/%s", host->options.dir, name);
  if (length < 0 || length >= host_path_max) host_fail("--dir is too long");
}

/** True when the power goes with this change. */
static bool is_last(struct host *host) {
  return host->options.kill_at_write > 0 && --host->options.kill_at_write == 0;
}

/** The machine is gone, and with it what it has not written. */
static void cut_power(void) { sys_semihost_exit(ADP_Stopped_InternalError, 1); }

static void change(struct host *host) {
  if (is_last(host)) cut_power();
}

static int open_file(const struct host *host, const char *name, int mode) {
  char path[host_path_max];
  host_path(host, name, path);
  return sys_semihost_open(path, mode);
}

static int write_to(int file, uint32_t offset, const void *data, size_t bytes) {
  if (file < 0) return OTA_ERR_STORAGE;
  bool good = sys_semihost_seek(file, offset) == 0 && sys_semihost_write(file, data, bytes) == 0;
  return sys_semihost_close(file) == 0 && good ? OTA_OK : OTA_ERR_STORAGE;
}

int host_read_file(struct host *host, const char *name, void *data, size_t capacity) {
  int file = open_file(host, name, SH_OPEN_R_B);
  if (file < 0) return OTA_ERR_ABSENT;
  size_t size = sys_semihost_flen(file);
  int bytes = size > capacity ? OTA_ERR_SPACE : sys_semihost_read(file, data, size) == 0 ? (int)size : OTA_ERR_STORAGE;
  (void)sys_semihost_close(file);
  return bytes;
}

int host_replace_file(struct host *host, const char *name, const void *data, size_t bytes) {
  char temporary[64];
  (void)snprintf(temporary, sizeof temporary, "%s.tmp", name);
  change(host);
  int error = write_to(open_file(host, temporary, SH_OPEN_W_B), 0, data, bytes);
  return error == OTA_OK ? host_rename_file(host, temporary, name) : error;
}

int host_rename_file(struct host *host, const char *from, const char *to) {
  char old_path[host_path_max];
  char new_path[host_path_max];
  host_path(host, from, old_path);
  host_path(host, to, new_path);
  change(host);
  int error = sys_semihost_rename(old_path, new_path) == 0 ? OTA_OK : OTA_ERR_STORAGE;
  change(host);
  return error;
}

int host_remove_file(struct host *host, const char *name) {
  char path[host_path_max];
  host_path(host, name, path);
  change(host);
  if (sys_semihost_remove(path) == 0) return OTA_OK;
  int file = open_file(host, name, SH_OPEN_R_B);
  if (file < 0) return OTA_OK;
  (void)sys_semihost_close(file);
  return OTA_ERR_STORAGE;
}

int host_write_at(struct host *host, const char *name, uint32_t offset, const void *data, size_t bytes) {
  bool last = is_last(host);
  int file = open_file(host, name, SH_OPEN_R_PLUS_B);
  if (file < 0) file = open_file(host, name, SH_OPEN_W_B);
  int error = write_to(file, offset, data, last ? bytes / 2 : bytes);
  if (last) cut_power();
  return error;
}

int host_read_at(struct host *host, const char *name, uint32_t offset, void *data, size_t bytes) {
  int file = open_file(host, name, SH_OPEN_R_B);
  if (file < 0) return OTA_ERR_STORAGE;
  bool good = sys_semihost_seek(file, offset) == 0 && sys_semihost_read(file, data, bytes) == 0;
  (void)sys_semihost_close(file);
  return good ? OTA_OK : OTA_ERR_STORAGE;
}

/** Only ever to nothing. */
int host_truncate_file(struct host *host, const char *name, uint32_t bytes) {
  change(host);
  return bytes == 0 ? write_to(open_file(host, name, SH_OPEN_W_B), 0, "", 0) : OTA_ERR_STORAGE;
}

int host_sync_file(struct host *host, const char *name) {
  (void)host;
  (void)name;
  return OTA_OK;
}

uint32_t host_file_bytes(struct host *host, const char *name) {
  int file = open_file(host, name, SH_OPEN_R_B);
  if (file < 0) return 0;
  uint32_t bytes = sys_semihost_flen(file);
  (void)sys_semihost_close(file);
  return bytes;
}

char *board_read_text(const char *path) {
  int file = sys_semihost_open(path, SH_OPEN_R_B);
  if (file < 0) return NULL;
  size_t bytes = sys_semihost_flen(file);
  char *text = malloc(bytes + 1);
  if (text) text[bytes] = '\0';
  if (text && sys_semihost_read(file, text, bytes) != 0) {
    free(text);
    text = NULL;
  }
  (void)sys_semihost_close(file);
  return text;
}
