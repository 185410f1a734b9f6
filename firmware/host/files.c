#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"

void host_path(const struct host *host, const char *name, char path[host_path_max]) {
  int length = snprintf(path, host_path_max, "%s/%s", host->options.dir, name);
  if (length < 0 || length >= host_path_max) host_fail("--dir is too long");
}

/** True when the power goes with this change. */
static bool is_last(struct host *host) {
  if (host->options.kill_at_write == 0) return false;
  host->options.kill_at_write--;
  return host->options.kill_at_write == 0;
}

static void cut_power(void) {
  (void)kill(getpid(), SIGKILL);
  (void)pause();
}

static void change(struct host *host) {
  if (is_last(host)) cut_power();
}

static int open_file(const struct host *host, const char *name, int flags) {
  char path[host_path_max];
  host_path(host, name, path);
  return open(path, flags | O_CLOEXEC, 0600);
}

static int write_whole(int file, const void *data, size_t bytes, off_t offset) {
  const char *from = data;
  while (bytes > 0) {
    ssize_t written = pwrite(file, from, bytes, offset);
    if (written < 0) return OTA_ERR_STORAGE;
    from += written;
    offset += written;
    bytes -= (size_t)written;
  }
  return OTA_OK;
}

static int sync_directory(const struct host *host) {
  if (!host->options.fsync) return OTA_OK;
  int directory = open(host->options.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int error = directory >= 0 && fsync(directory) == 0 ? OTA_OK : OTA_ERR_STORAGE;
  if (directory >= 0) close(directory);
  return error;
}

int host_read_file(struct host *host, const char *name, void *data, size_t capacity) {
  int file = open_file(host, name, O_RDONLY);
  if (file < 0) return errno == ENOENT ? OTA_ERR_ABSENT : OTA_ERR_STORAGE;
  struct stat status;
  int bytes = OTA_ERR_STORAGE;
  if (fstat(file, &status) == 0) {
    size_t size = (size_t)status.st_size;
    if (size > capacity) bytes = OTA_ERR_SPACE;
    else if (read(file, data, size) == (ssize_t)size) bytes = (int)size;
  }
  close(file);
  return bytes;
}

int host_replace_file(struct host *host, const char *name, const void *data, size_t bytes) {
  char temporary[64];
  (void)snprintf(temporary, sizeof temporary, "%s.tmp", name);
  change(host);
  int file = open_file(host, temporary, O_WRONLY | O_CREAT | O_TRUNC);
  if (file < 0) return OTA_ERR_STORAGE;
  int error = write_whole(file, data, bytes, 0);
  if (error == OTA_OK && host->options.fsync && fsync(file) != 0) error = OTA_ERR_STORAGE;
  if (close(file) != 0) error = OTA_ERR_STORAGE;
  return error == OTA_OK ? host_rename_file(host, temporary, name) : error;
}

int host_rename_file(struct host *host, const char *from, const char *to) {
  char old_path[host_path_max];
  char new_path[host_path_max];
  host_path(host, from, old_path);
  host_path(host, to, new_path);
  change(host);
  if (rename(old_path, new_path) != 0) return OTA_ERR_STORAGE;
  int error = sync_directory(host);
  change(host);
  return error;
}

int host_remove_file(struct host *host, const char *name) {
  char path[host_path_max];
  host_path(host, name, path);
  change(host);
  return unlink(path) == 0 || errno == ENOENT ? OTA_OK : OTA_ERR_STORAGE;
}

int host_write_at(struct host *host, const char *name, uint32_t offset, const void *data, size_t bytes) {
  bool last = is_last(host);
  int file = open_file(host, name, O_WRONLY | O_CREAT);
  if (file < 0) return OTA_ERR_STORAGE;
  int error = write_whole(file, data, last ? bytes / 2 : bytes, (off_t)offset);
  if (last) cut_power();
  if (close(file) != 0) error = OTA_ERR_STORAGE;
  return error;
}

int host_read_at(struct host *host, const char *name, uint32_t offset, void *data, size_t bytes) {
  int file = open_file(host, name, O_RDONLY);
  if (file < 0) return OTA_ERR_STORAGE;
  ssize_t got = pread(file, data, bytes, (off_t)offset);
  close(file);
  return got == (ssize_t)bytes ? OTA_OK : OTA_ERR_STORAGE;
}

int host_truncate_file(struct host *host, const char *name, uint32_t bytes) {
  change(host);
  int file = open_file(host, name, O_WRONLY | O_CREAT);
  if (file < 0) return OTA_ERR_STORAGE;
  int error = ftruncate(file, (off_t)bytes) == 0 ? OTA_OK : OTA_ERR_STORAGE;
  close(file);
  return error;
}

int host_sync_file(struct host *host, const char *name) {
  if (!host->options.fsync) return OTA_OK;
  int file = open_file(host, name, O_WRONLY | O_CREAT);
  if (file < 0) return OTA_ERR_STORAGE;
  int error = fsync(file) == 0 ? OTA_OK : OTA_ERR_STORAGE;
  close(file);
  return error;
}

uint32_t host_file_bytes(struct host *host, const char *name) {
  char path[host_path_max];
  struct stat status;
  host_path(host, name, path);
  return stat(path, &status) == 0 ? (uint32_t)status.st_size : 0;
}
