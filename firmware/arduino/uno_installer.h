/*
 * An Uno behind a serial line as a child component of the OTA agent (struct ota_installer of ota_port.h). Portable C11, no
 * allocation, no globals. The image is collected in memory that the owner gives, then flashed by stk500_flash in `finish`, which
 * blocks for up to about 15 s.
 */
#ifndef FLOTA_UNO_INSTALLER_H
#define FLOTA_UNO_INSTALLER_H

#include "ota_port.h"
#include "stk500.h"
#include "uno_line.h"

/* What is known of the Uno across restarts. Not whole: it was being written and may stand still. */
struct uno_record {
  struct ota_image image;
  bool whole;
};

struct uno_installer {
  /* Set by the owner; the rest starts as zeros. */
  struct stk500_line line;
  uint8_t *image; /* STK500_MAX_IMAGE_BYTES */
  void *context;
  /* 0, OTA_ERR_ABSENT before the first save, or OTA_ERR_STORAGE. */
  int (*load)(void *context, struct uno_record *record);
  /* Old or new, whole, whenever the power goes. */
  int (*save)(void *context, const struct uno_record *record);
  /* May be NULL: stage and bytes of stk500_flash. */
  void (*progress)(void *context, enum stk500_stage stage, uint32_t done_bytes, uint32_t size_bytes);

  uint32_t size;
  bool flashed;
  struct uno_reader reader;
  char version[UNO_VERSION_BYTES]; /* "" until the sketch has told it */
  bool has_temperature;
  int32_t temperature_tenths;
  /* The servo was told to turn, and when the Uno said so. */
  bool turned;
  uint32_t turned_at_ms;
  bool asked;
  uint32_t asking_since_ms, asked_at_ms;
};

/*
 * The callbacks of a child; `component` and `hardware` as in manifests (the hardware of the device that the Uno is a part of). Its
 * may_install says no while the servo moves, since a Uno that is being flashed holds nothing: for a second after the sketch has answered a
 * command to turn, which is what a hobby servo takes at most.
 */
struct ota_installer uno_installer(struct uno_installer *uno, const char *component, const char *hardware);

/* Reads what the sketch has said since the last call, and asks for its temperature every 5 s. Never waits. */
void uno_installer_poll(struct uno_installer *uno);

#endif
