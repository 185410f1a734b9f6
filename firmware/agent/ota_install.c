#include "ota_install.h"

#include <string.h>

#include "ota_life.h"

/** A child gets this many installations to end well, and an image that never boots as many before it is given up. */
static const uint32_t installs_max = 5;

static size_t block_bytes(const struct ota_agent *agent) {
  uint32_t left = agent->journal.state.job.image.size - agent->install.offset;
  size_t most = agent->config.buffers.work_bytes;
  return left < most ? left : most;
}

int ota_verify_start(struct ota_agent *agent) {
  agent->work = OTA_WORK_VERIFY;
  agent->install = (struct ota_install){0};
  ota_report_progress(agent, false);
  return agent->port->sha256_start(agent->port->ctx);
}

void ota_verify_poll(struct ota_agent *agent) {
  const struct ota_port *port = agent->port;
  const struct ota_job *job = &agent->journal.state.job;
  uint8_t *block = agent->config.buffers.work;
  uint8_t digest[OTA_SHA256_BYTES];
  size_t bytes = block_bytes(agent);
  if (bytes > 0) {
    int error = port->staging_read(port->ctx, agent->install.offset, block, bytes);
    if (error == OTA_OK) error = port->sha256_update(port->ctx, block, bytes);
    if (error != OTA_OK) ota_apply_failed(agent, OTA_FAILURE_STORAGE_FAILED, "the staged image cannot be read");
    else agent->install.offset += (uint32_t)bytes;
    return;
  }
  if (port->sha256_finish(port->ctx, digest) != OTA_OK || memcmp(digest, job->image.sha256, sizeof digest) != 0)
    ota_apply_failed(agent, OTA_FAILURE_DIGEST_MISMATCH, "the image is not the signed one");
  else ota_consent_start(agent);
}

int ota_install_start(struct ota_agent *agent) {
  const struct ota_job *job = &agent->journal.state.job;
  const struct ota_installer *installer = ota_installer_of(agent, job->component);
  // What an undo boots is in its slot; whether it really is, shows when it is read back.
  bool is_undo = job->undoes[0] != '\0';
  agent->work = OTA_WORK_INSTALL;
  agent->install = (struct ota_install){.reading_back = is_undo};
  if (is_undo) agent->download.received_bytes = 0;
  ota_report_progress(agent, false);
  if (job->installs > installs_max) return OTA_ERR_INSTALL;
  if (is_undo) return agent->port->sha256_start(agent->port->ctx);
  return installer->begin(installer->ctx, &job->image);
}

static int write_block(struct ota_agent *agent, const struct ota_installer *installer) {
  const struct ota_port *port = agent->port;
  uint8_t *block = agent->config.buffers.work;
  size_t bytes = block_bytes(agent);
  if (bytes == 0) {
    int error = installer->finish(installer->ctx);
    agent->install = (struct ota_install){.reading_back = true};
    return error == OTA_OK ? port->sha256_start(port->ctx) : error;
  }
  int error = port->staging_read(port->ctx, agent->install.offset, block, bytes);
  if (error == OTA_OK) error = installer->write(installer->ctx, agent->install.offset, block, bytes);
  agent->install.offset += (uint32_t)bytes;
  return error;
}

static int read_block(struct ota_agent *agent, const struct ota_installer *installer) {
  const struct ota_port *port = agent->port;
  const struct ota_job *job = &agent->journal.state.job;
  uint8_t *block = agent->config.buffers.work;
  uint8_t digest[OTA_SHA256_BYTES];
  size_t bytes = block_bytes(agent);
  if (bytes > 0) {
    int error = installer->read(installer->ctx, agent->install.offset, block, bytes);
    agent->install.offset += (uint32_t)bytes;
    return error == OTA_OK ? port->sha256_update(port->ctx, block, bytes) : error;
  }
  int error = port->sha256_finish(port->ctx, digest);
  if (error != OTA_OK || memcmp(digest, job->image.sha256, sizeof digest) != 0) return OTA_ERR_INSTALL;
  ota_consent_start(agent);
  return OTA_OK;
}

/** A slot that does not take the image is the update's failure, not the device's. */
static void tell_error(struct ota_agent *agent, int error) {
  enum ota_failure_code code = OTA_FAILURE_INSTALL_FAILED;
  const char *why = "the slot reads back differently";
  if (error == OTA_OK) return;
  if (agent->journal.state.job.undoes[0] != '\0') {
    code = OTA_FAILURE_UNDO_REFUSED;
    why = "the other slot does not hold the image";
  } else if (error == OTA_ERR_STORAGE) {
    code = OTA_FAILURE_STORAGE_FAILED;
    why = "storage failed";
  } else if (error == OTA_ERR_IMAGE) {
    why = "the image is for another chip";
  }
  ota_apply_failed(agent, code, why);
}

void ota_install_poll(struct ota_agent *agent) {
  const struct ota_installer *installer = ota_installer_of(agent, agent->journal.state.job.component);
  tell_error(agent, agent->install.reading_back ? read_block(agent, installer) : write_block(agent, installer));
}

void ota_install_activate(struct ota_agent *agent) {
  const struct ota_job *job = &agent->journal.state.job;
  const struct ota_installer *installer = ota_installer_of(agent, job->component);
  int error = installer->activate(installer->ctx, &job->image);
  if (error == OTA_OK) ota_apply_simple(agent, OTA_EVENT_COMMITTED);
  else tell_error(agent, error);
}
