/**
 * @file
 * What a device tells of its last crash. Beside the agent, for ports that can say it: a port keeps the summary (a core dump does) until
 * a report that carries it is stored, gives it to each health report, and calls ota_crash_poll after each ota_agent_poll.
 *
 *     static void health(void *ctx, struct ota_text *text) { if (crashed) ota_crash_write(&crash, text); }   // of struct ota_port
 *     if (crashed && ota_crash_poll(&crash, &agent)) crashed = !forget_the_core_dump();
 */
#ifndef CRASH_H
#define CRASH_H

#include "ota_field.h"
#include "ota_text.h"

struct ota_agent;

#define OTA_CRASH_FRAMES 16u /**< Calls of a backtrace, the crashed one first. */
#define OTA_CRASH_REASON_MAX 64u /**< Bytes of a reason. */

/** A crash. Texts are NUL-terminated; what is not printable ASCII is written as `?`. */
struct ota_crash {
  /** New for each crash, and the same as often as it is told: it counts once. */
  char id[OTA_ID_MAX + 1];
  char reason[OTA_CRASH_REASON_MAX + 1]; /**< In the system's own words. */
  char task[17];                         /**< May be empty. */
  /** 8 to 64 hex digits: the SHA-256 of the ELF, or its beginning. */
  char elf[65];
  uint64_t pc;                           /**< Where it was. */
  uint64_t backtrace[OTA_CRASH_FRAMES];  /**< Addresses as in the ELF. */
  unsigned depth;                        /**< How many of them there are. */
  bool corrupted;                        /**< The end of the backtrace is not to be trusted. */
  bool told;                             /**< Of ota_crash_poll: over this connection. False at first. */
};

/** The member `crash` of a health report with a comma before it; nothing when it would leave no room for the rest of the report. */
void ota_crash_write(const struct ota_crash *crash, struct ota_text *text);

/**
 * True when a boot report with the crash is stored: the port need not keep it. An image on trial reports nothing before it is confirmed,
 * and may crash before that again: its crash is told at once, with each connection, and kept for whatever boots next.
 */
bool ota_crash_poll(struct ota_crash *crash, struct ota_agent *agent);

#endif
