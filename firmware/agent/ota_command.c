#include <string.h>

#include "ota_life.h"

/** FNV-1a; never 0. */
static uint64_t hash_of(const char *id) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (const uint8_t *c = (const uint8_t *)id; *c != 0; c++) hash = (hash ^ *c) * UINT64_C(0x100000001b3);
  return hash == 0 ? 1 : hash;
}

/** True when this command has been answered before: a copy of `reboot` must not reboot again. */
static bool is_known(struct ota_state *state, const char *id) {
  uint64_t hash = hash_of(id);
  for (unsigned i = 0; i < OTA_COMMANDS_MAX; i++)
    if (state->commands[i] == hash) return true;
  memmove(&state->commands[1], &state->commands[0], (OTA_COMMANDS_MAX - 1) * sizeof state->commands[0]);
  state->commands[0] = hash;
  return false;
}

/** What the program around the agent makes of it. */
static void write_program_answer(struct ota_agent *agent, const struct ota_control *control, struct ota_text *text) {
  const struct ota_port *port = agent->port;
  char *result = (char *)agent->config.buffers.work;
  size_t capacity = 512;
  result[0] = '\0';
  int done = port->command ? port->command(port->ctx, control->command, control->args, result, capacity) : OTA_ERR_ABSENT;
  if (done == OTA_OK) {
    ota_text_raw(text, ",\"ok\":true");
    if (result[0] != '\0') {
      ota_text_raw(text, ",\"result\":");
      ota_text_raw(text, result);
    }
    return;
  }
  enum ota_failure_code code = done == OTA_ERR_ABSENT ? OTA_FAILURE_UNKNOWN_COMMAND : OTA_FAILURE_COMMAND_FAILED;
  struct ota_failure failure;
  ota_failure_set(&failure, code, control->command);
  ota_text_raw(text, ",\"ok\":false");
  ota_failure_write(text, &failure);
}

void ota_answer_command(struct ota_agent *agent, const struct ota_control *control) {
  const struct ota_port *port = agent->port;
  struct ota_journal *journal = &agent->journal;
  if (is_known(&journal->state, control->id)) return;
  bool reboot = strcmp(control->command, "reboot") == 0;
  bool report = strcmp(control->command, "report") == 0;
  bool identify = strcmp(control->command, "identify") == 0;
  struct ota_text *text = ota_journal_begin(journal, OTA_UP_CONTROL_RESPONSE, NULL);
  ota_text_member_string(text, "command", control->id);
  if (reboot || report) {
    ota_text_raw(text, ",\"ok\":true");
  } else if (identify) {
    ota_text_raw(text, ",\"ok\":true,\"result\":{");
    ota_write_identity(agent, text);
    ota_text_raw(text, "}");
  } else if (strcmp(control->command, "ping") == 0) {
    ota_text_raw(text, ",\"ok\":true,\"result\":{\"bootCount\":");
    ota_text_number(text, journal->state.boot_count);
    ota_text_raw(text, "}");
  } else {
    write_program_answer(agent, control, text);
  }
  if (ota_journal_end(journal) != OTA_OK) return;
  if (reboot) {
    ota_restart(agent, OTA_BOOT_COMMAND);
    return;
  }
  if (ota_store(agent) != OTA_OK) return;
  if (identify && port->command) (void)port->command(port->ctx, "identify", "", (char *)agent->config.buffers.work, 512);
  if (report) {
    ota_report_health(agent);
    ota_report_telemetry(agent);
  }
}
