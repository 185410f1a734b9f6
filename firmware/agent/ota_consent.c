#include "ota_consent.h"

#include "ota_life.h"
#include "ota_pace.h"

void ota_consent_start(struct ota_agent *agent) {
  agent->work = OTA_WORK_CONSENT;
  agent->consent = (struct ota_consent){0};
}

/** Tells the server at once, although the stage is the same. */
static void tell(struct ota_agent *agent) {
  agent->reporter.stage = OTA_IDLE;
  ota_report_progress(agent, false);
}

/** How long the application wants it put off. */
static uint32_t ask(struct ota_agent *agent) {
  const struct ota_job *job = &agent->journal.state.job;
  const struct ota_installer *installer = ota_installer_of(agent, job->component);
  struct ota_consent *it = &agent->consent;
  ota_ask *question = job->stage == OTA_VERIFYING ? installer->may_install : installer->may_reboot;
  it->reason[0] = '\0';
  return question ? question(installer->ctx, it->reason, sizeof it->reason) : OTA_NOW;
}

static void go_on(struct ota_agent *agent) {
  struct ota_consent *it = &agent->consent;
  bool told = it->deferred;
  it->deferred = false;
  if (told) tell(agent);
  if (agent->journal.state.job.stage == OTA_VERIFYING) ota_apply_simple(agent, OTA_EVENT_VERIFIED);
  else ota_install_activate(agent);
}

uint64_t ota_consent_poll(struct ota_agent *agent, uint64_t now) {
  struct ota_consent *it = &agent->consent;
  struct ota_job *job = &agent->journal.state.job;
  uint32_t again_ms = agent->config.timing.ask_again_ms;
  if (now < it->due_at) return it->due_at;
  // Without a clock nobody knows: the application is waited for until there is one.
  int64_t time = agent->port->unix_ms(agent->port->ctx);
  bool overdue = job->deadline.unix_ms > 0 && time >= (int64_t)job->deadline.unix_ms;
  if (overdue || now >= it->ask_at) {
    uint32_t wait_ms = ask(agent);
    if (wait_ms == OTA_NOW || overdue) {
      if (wait_ms == OTA_NOW || !job->deadline.give_up) go_on(agent);
      else ota_apply_failed(agent, OTA_FAILURE_DEFERRED_TOO_LONG, it->reason);
      return now;
    }
    it->until_ms = wait_ms == OTA_NO || time < 0 ? -1 : time + wait_ms;
    it->ask_at = now + (wait_ms == OTA_NO ? again_ms : wait_ms);
  }
  // An installation that ended well is not one that has to be tried again, however often the power goes while it waits.
  if (!it->deferred && job->stage == OTA_INSTALLING) {
    job->installs--;
    if (ota_store(agent) != OTA_OK) return now;
  }
  it->deferred = true;
  it->due_at = ota_earlier(it->ask_at, now + again_ms);
  tell(agent);
  return it->due_at;
}

void ota_consent_write(const struct ota_agent *agent, struct ota_text *text) {
  if (agent->work != OTA_WORK_CONSENT) return;
  ota_text_raw(text, agent->consent.deferred ? ",\"deferred\":{\"until\":" : ",\"deferred\":null");
  if (!agent->consent.deferred) return;
  ota_text_time(text, agent->consent.until_ms);
  ota_text_member_string(text, "reason", agent->consent.reason);
  ota_text_raw(text, "}");
}
