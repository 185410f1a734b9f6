/*
 * flash-uno PORT IMAGE.bin: the programmer on a desk PC (Linux, POSIX termios), for a real Uno on USB, whose DTR is wired to
 * reset. Prints the digest of the flash read back and the new sketch's version line. Exit status 0 only when both were had.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "stk500.h"
#include "uno_line.h"

struct image {
  uint8_t bytes[STK500_MAX_IMAGE_BYTES + 1];
  size_t size;
  EVP_MD_CTX *digest;
};

static void die(const char *what) {
  (void)fprintf(stderr, "flash-uno: %s\n", what);
  exit(1);
}

static void wait_ms(long ms) {
  const struct timespec time = {.tv_nsec = ms * 1000000L};
  (void)nanosleep(&time, NULL);
}

static uint32_t now_ms(void *context) {
  (void)context;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U);
}

static int write_bytes(void *context, const uint8_t *data, size_t size) {
  const int tty = *(const int *)context;
  while (size > 0) {
    const ssize_t n = write(tty, data, size);
    if (n < 0 && errno != EINTR) return -1;
    if (n > 0) {
      data += n;
      size -= (size_t)n;
    }
  }
  return 0;
}

static int read_bytes(void *context, uint8_t *data, size_t size, uint32_t timeout_ms) {
  const int tty = *(const int *)context;
  struct pollfd ready = {.fd = tty, .events = POLLIN};
  const int n = poll(&ready, 1, (int)timeout_ms);
  if (n <= 0) return n == 0 || errno == EINTR ? 0 : -1;
  const ssize_t got = read(tty, data, size);
  return got > 0 ? (int)got : -1;
}

/* A capacitor between DTR and RESET makes the pulse. */
static int reset(void *context) {
  const int tty = *(const int *)context;
  int dtr = TIOCM_DTR;
  if (ioctl(tty, TIOCMBIC, &dtr) != 0) return -1;
  wait_ms(50);
  return ioctl(tty, TIOCMBIS, &dtr) == 0 ? 0 : -1;
}

static int open_line(const char *path) {
  const int tty = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
  struct termios settings;
  if (tty < 0 || tcgetattr(tty, &settings) != 0) die("the port cannot be opened");
  cfmakeraw(&settings);
  settings.c_cflag |= CLOCAL | CREAD;
  if (cfsetspeed(&settings, B115200) != 0 || tcsetattr(tty, TCSANOW, &settings) != 0) die("the port cannot be set up");
  return tty;
}

static int read_image(void *context, uint32_t offset, uint8_t *data, size_t size) {
  const struct image *image = context;
  memcpy(data, image->bytes + offset, size);
  return 0;
}

static int digest_page(void *context, uint32_t offset, const uint8_t *data, size_t size) {
  const struct image *image = context;
  if (offset == 0 && !EVP_DigestInit_ex(image->digest, EVP_sha256(), NULL)) return -1;
  return EVP_DigestUpdate(image->digest, data, size) ? 0 : -1;
}

static void show(void *context, enum stk500_stage stage, uint32_t done, uint32_t size) {
  (void)context;
  static const char *const names[] = {"connect", "write", "verify", "leave"};
  (void)printf("%s%-8s %5u of %u bytes", stage == STK500_STAGE_CONNECT ? "" : "\r", names[stage], done, size);
  if (done == size) (void)printf("\n");
  (void)fflush(stdout);
}

static void load(const char *path, struct image *image) {
  FILE *file = fopen(path, "rb");
  if (!file) die("the image cannot be opened");
  image->size = fread(image->bytes, 1, sizeof image->bytes, file);
  (void)fclose(file);
}

static void show_digest(const struct image *image) {
  uint8_t digest[32];
  if (!EVP_DigestFinal_ex(image->digest, digest, NULL)) die("no digest");
  (void)printf("sha256 ");
  for (size_t i = 0; i < sizeof digest; i++) (void)printf("%02x", digest[i]);
  (void)printf("\n");
}

static void await_version(int tty) {
  const uint32_t started = now_ms(NULL);
  struct uno_reader reader = {0};
  while (now_ms(NULL) - started < 3000) {
    uint8_t byte = 0;
    struct uno_line line;
    if (read_bytes(&tty, &byte, 1, 100) < 1 || !uno_reader_take(&reader, byte, &line)) continue;
    if (line.kind != UNO_LINE_VERSION) continue;
    (void)printf("version %s, security version %u\n", line.version, line.security_version);
    return;
  }
  die("flashed and verified, but the sketch does not tell its version");
}

int main(int argc, char **argv) {
  if (argc != 3) die("usage: flash-uno PORT IMAGE.bin (raw, from avr-objcopy -O binary)");
  static struct image image;
  load(argv[2], &image);
  image.digest = EVP_MD_CTX_new();
  if (!image.digest) die("no digest");
  int tty = open_line(argv[1]);
  const struct stk500_line line = {.context = &tty, .write = write_bytes, .read = read_bytes, .reset = reset, .now_ms = now_ms};
  const struct stk500_image source = {.context = &image,
                                      .size_bytes = (uint32_t)image.size,
                                      .read = read_image,
                                      .verified = digest_page,
                                      .progress = show};
  const int error = stk500_flash(&line, &source, NULL);
  if (error) {
    (void)fprintf(stderr, "\nflash-uno: %s\n", stk500_error_name(error));
    return 1;
  }
  show_digest(&image);
  await_version(tty);
  EVP_MD_CTX_free(image.digest);
  return close(tty) == 0 ? 0 : 1;
}
