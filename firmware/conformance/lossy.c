/**
 * A file system that forgets what was not synced, for a device on POSIX (LD_PRELOAD). What fsync has made durable is kept beside the
 * device's directory; when the device starts, that is all there is, however it ended before.
 *
 *   LOSSY_DIR      the device's directory, absolute
 *   LOSSY_KEEPS    what a power cut leaves of the rest: "nothing", or "names" (directory entries and lengths, but zeros for data)
 *   LOSSY_MISREAD  a file of which each read returns a wrong byte
 *   LOSSY_SLOW     a file of which fsync takes a second
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int open_function(const char *, int, ...);
typedef int fsync_function(int);
typedef ssize_t pread_function(int, void *, size_t, off_t);

enum { path_max = 1024 };
static const char *device_dir;

static void *next(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (!found) abort();
  return found;
}

#define CHECK(it) \
  do { \
    if (!(it)) { \
      perror("lossy storage: " #it); \
      abort(); \
    } \
  } while (0)

/** `DIR/name`, or with a kind what is kept: `DIR.names/name` is a link to the file, `DIR.data/inode` what is synced of it. */
static const char *path_of(const char *kind, const char *name) {
  static char paths[4][path_max];
  static unsigned turn;
  char *path = paths[turn++ % 4];
  CHECK(snprintf(path, path_max, "%s%s/%s", device_dir, kind, name) < path_max);
  return path;
}

static const char *data_of(ino_t inode) {
  char name[24];
  (void)snprintf(name, sizeof name, "%lu", (unsigned long)inode);
  return path_of(".data", name);
}

static void copy(const char *from, const char *to) {
  FILE *in = fopen(from, "re");
  FILE *out = fopen(to, "we");
  CHECK(in && out);
  char block[65536];
  for (size_t bytes; (bytes = fread(block, 1, sizeof block, in)) > 0;) CHECK(fwrite(block, 1, bytes, out) == bytes);
  CHECK(fclose(out) == 0 && fclose(in) == 0);
}

static void each(const char *kind, void (*visit)(const char *name)) {
  DIR *dir = opendir(path_of(kind, ""));
  CHECK(dir);
  for (struct dirent *entry; (entry = readdir(dir));)
    if (entry->d_type == DT_REG) visit(entry->d_name);
  closedir(dir);
}

static void remove_file(const char *name) { CHECK(unlink(path_of("", name)) == 0); }
static void remove_name(const char *name) { CHECK(unlink(path_of(".names", name)) == 0); }
static void remove_data(const char *inode) { CHECK(unlink(path_of(".data", inode)) == 0); }

/** The link keeps the inode, so that its number is nobody else's. */
static void keep_name(const char *name) { CHECK(link(path_of("", name), path_of(".names", name)) == 0); }

static void keep_names(void) {
  each(".names", remove_name);
  each("", keep_name);
}

static void keep_data(const char *name) {
  struct stat status;
  CHECK(stat(path_of("", name), &status) == 0);
  copy(path_of("", name), data_of(status.st_ino));
}

/** What is synced of it, under its own name; nothing, when nothing is. */
static void restore_name(const char *name) {
  struct stat status;
  CHECK(stat(path_of(".names", name), &status) == 0);
  const char *data = data_of(status.st_ino);
  copy(access(data, R_OK) == 0 ? data : "/dev/null", path_of("", name));
}

/** As long as it was, but with zeros where nothing is synced. */
static void restore_data(const char *name) {
  struct stat status;
  CHECK(stat(path_of("", name), &status) == 0);
  const char *data = data_of(status.st_ino);
  copy(access(data, R_OK) == 0 ? data : "/dev/null", path_of("", name));
  CHECK(truncate(path_of("", name), status.st_size) == 0);
}

__attribute__((constructor)) static void power_returns(void) {
  const char *keeps = getenv("LOSSY_KEEPS");
  device_dir = getenv("LOSSY_DIR");
  if (!device_dir) return;
  bool first = mkdir(path_of(".names", ""), 0700) == 0 && mkdir(path_of(".data", ""), 0700) == 0;
  if (!first && keeps && strcmp(keeps, "names") == 0) {
    each("", restore_data);
  } else if (!first) {
    each("", remove_file);
    each(".names", restore_name);
  }
  each(".data", remove_data);
  keep_names();
  each("", keep_data);
}

/** The name of an open file of the device, or null. */
static const char *name_of(int file) {
  static char path[path_max];
  char link[64];
  if (!device_dir) return NULL;
  (void)snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return NULL;
  path[length] = '\0';
  size_t prefix = strlen(device_dir);
  return strncmp(path, device_dir, prefix) == 0 && path[prefix] == '/' ? path + prefix + 1 : NULL;
}

static bool is_named(int file, const char *variable) {
  const char *wanted = getenv(variable);
  const char *name = wanted ? name_of(file) : NULL;
  return name && strcmp(name, wanted) == 0;
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  bool is_new = device_dir && (flags & O_CREAT) && access(path, F_OK) != 0;
  int file = ((open_function *)next("open"))(path, flags, mode);
  struct stat status;
  // The inode may have been another file's.
  if (is_new && file >= 0 && name_of(file) && fstat(file, &status) == 0) (void)unlink(data_of(status.st_ino));
  return file;
}

int fsync(int file) {
  struct stat own, dir;
  if (device_dir && fstat(file, &own) == 0 && stat(device_dir, &dir) == 0) {
    if (own.st_ino == dir.st_ino && own.st_dev == dir.st_dev) keep_names();
    else if (name_of(file)) {
      if (is_named(file, "LOSSY_SLOW")) (void)usleep(1000000);
      keep_data(name_of(file));
    }
  }
  return ((fsync_function *)next("fsync"))(file);
}

ssize_t pread(int file, void *data, size_t bytes, off_t offset) {
  ssize_t got = ((pread_function *)next("pread"))(file, data, bytes, offset);
  if (got > 0 && is_named(file, "LOSSY_MISREAD")) ((unsigned char *)data)[0] ^= 1;
  return got;
}
