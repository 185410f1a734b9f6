#include "ota_renewal.h"

#include <string.h>

#include "ota_life.h"
#include "ota_pace.h"

static const int64_t thirty_days_ms = INT64_C(30) * 24 * 3600 * 1000;

int64_t ota_renewal_due_ms(const struct ota_validity *validity) {
  int64_t third = (validity->not_after_ms - validity->not_before_ms) / 3;
  return validity->not_after_ms - (third < thirty_days_ms ? third : thirty_days_ms);
}

/** Puts the request into the outbox; its id is remembered by the same write. */
static int ask(struct ota_agent *agent, uint64_t now) {
  const struct ota_port *port = agent->port;
  struct ota_journal *journal = &agent->journal;
  char *csr = (char *)agent->config.buffers.work;
  int error = port->cert_request(port->ctx, csr, agent->config.buffers.work_bytes);
  if (error != OTA_OK) return error;
  agent->renewal.wait_until = now + agent->config.timing.renew_retry_ms;
  char id[OTA_RANDOM_ID_CHARS + 1];
  if (ota_random_id(port, id) != OTA_OK) return OTA_ERR_BUSY;
  struct ota_text *text = ota_journal_begin(journal, OTA_UP_CERTIFICATE_REQUEST, id);
  ota_text_member_string(text, "csr", csr);
  if (ota_journal_end(journal) != OTA_OK) return OTA_ERR_SPACE;
  memcpy(journal->state.renewal_id, id, sizeof id);
  return ota_store(agent);
}

int ota_renewal_check(struct ota_agent *agent, uint64_t now) {
  const struct ota_port *port = agent->port;
  struct ota_renewal *renewal = &agent->renewal;
  struct ota_validity validity;
  renewal->check_at = now + agent->config.timing.renew_check_ms;
  enum ota_renewal_state state = port->cert_state(port->ctx);
  if (state == OTA_RENEWAL_ISSUED || now < renewal->wait_until) return OTA_OK;
  if (state == OTA_RENEWAL_KEY) {
    const char *id = agent->journal.state.renewal_id;
    if (id[0] != '\0' && ota_journal_holds(&agent->journal, id)) return OTA_OK;
    return ask(agent, now);
  }
  int64_t time = port->unix_ms(port->ctx);
  // Before the clock is set nobody knows whether it is time.
  if (time < 0 || port->cert_validity(port->ctx, &validity) != OTA_OK) return OTA_OK;
  if (time < ota_renewal_due_ms(&validity)) return OTA_OK;
  ota_agent_log(agent, OTA_LOG_INFO, "certificate is near its end, asking for a new one");
  return ask(agent, now);
}

int ota_renewal_answered(struct ota_agent *agent, const struct ota_certificate *answer) {
  const struct ota_port *port = agent->port;
  struct ota_renewal *renewal = &agent->renewal;
  if (port->cert_state(port->ctx) != OTA_RENEWAL_KEY) return OTA_OK;
  if (answer->certificate && answer->chain) {
    int error = port->cert_store(port->ctx, answer->certificate, answer->chain);
    // An answer to an earlier request; the one to this is still to come.
    if (error == OTA_ERR_CERTIFICATE) ota_agent_log(agent, OTA_LOG_WARN, "the certificate is not for this key");
    if (error != OTA_OK) return error == OTA_ERR_CERTIFICATE ? OTA_OK : error;
    renewal->failed_connects = 0;
    ota_session_reconnect(agent);
    return OTA_OK;
  }
  if (strcmp(answer->request, agent->journal.state.renewal_id) != 0) return OTA_OK;
  ota_agent_log(agent, OTA_LOG_WARN, "the certificate request was refused");
  renewal->wait_until = ota_now(agent) + agent->config.timing.renew_retry_ms;
  // A CSR that was refused stays refused; a new key is the way out.
  bool about_csr = answer->error && strncmp(answer->error, "csr_", 4) == 0;
  return about_csr ? port->cert_drop(port->ctx) : OTA_OK;
}

enum ota_key_pair ota_renewal_pair(const struct ota_agent *agent) {
  const struct ota_port *port = agent->port;
  bool issued = port->cert_state(port->ctx) == OTA_RENEWAL_ISSUED;
  bool trusted = agent->renewal.failed_connects < agent->config.limits.renewed_connects;
  return issued && trusted ? OTA_PAIR_NEW : OTA_PAIR_CURRENT;
}

int ota_renewal_connected(struct ota_agent *agent, enum ota_key_pair pair) {
  const struct ota_port *port = agent->port;
  if (port->cert_state(port->ctx) != OTA_RENEWAL_ISSUED) return OTA_OK;
  agent->renewal.failed_connects = 0;
  if (pair == OTA_PAIR_NEW) {
    ota_agent_log(agent, OTA_LOG_INFO, "certificate renewed");
    return port->cert_promote(port->ctx);
  }
  // The old one connects where the new one did not: the new one is no good.
  ota_agent_log(agent, OTA_LOG_ERROR, "the new certificate does not connect, going on with the old one");
  agent->renewal.wait_until = ota_now(agent) + agent->config.timing.renew_retry_ms;
  return port->cert_drop(port->ctx);
}

void ota_renewal_refused(struct ota_agent *agent, enum ota_key_pair pair) {
  if (agent->port->cert_state(agent->port->ctx) != OTA_RENEWAL_ISSUED) return;
  // When neither connects it is the network: take turns.
  agent->renewal.failed_connects = pair == OTA_PAIR_NEW ? agent->renewal.failed_connects + 1 : 0;
}
