/** What ties the parts of the agent together; for them, not for programs. */
#ifndef OTA_LIFE_H
#define OTA_LIFE_H

#include "ota_agent.h"
#include "ota_inbox.h"
#include "ota_machine.h"

/** Feeds one event to the transition table, stores what it says, then acts on it. */
void ota_apply(struct ota_agent *agent, const struct ota_event *event);
/** The same for a request, whose URL is kept when it is wanted. */
void ota_apply_request(struct ota_agent *agent, const struct ota_event *event, const char *url);

void ota_apply_simple(struct ota_agent *agent, enum ota_event_type type);
void ota_apply_failed(struct ota_agent *agent, enum ota_failure_code code, const char *message);

/** Stores the journal; storage that fails ends this life. */
int ota_store(struct ota_agent *agent);

/** Something that must not be: starts again from what is stored, which is always consistent. */
void ota_fault(struct ota_agent *agent, const char *why);
void ota_restart(struct ota_agent *agent, enum ota_boot_reason reason);

/** Boot: measures what runs, then either begins a trial or settles. */
int ota_boot(struct ota_agent *agent, uint64_t now);
/** Ends or goes on with a trial. */
void ota_trial_poll(struct ota_agent *agent, uint64_t now);
/** Connected: a trial that has passed its self-test is over. */
void ota_online(struct ota_agent *agent, uint64_t now);

/** One message from the broker. */
void ota_receive(struct ota_agent *agent, const char *topic, size_t bytes);
void ota_answer_command(struct ota_agent *agent, const struct ota_control *control);

/** The lowest security version that a component may be updated to: what runs, or the highest that was ever confirmed. */
uint64_t ota_security_floor(const struct ota_agent *agent, enum ota_component component);

const struct ota_installer *ota_installer_of(const struct ota_agent *agent, enum ota_component component);
uint64_t ota_now(const struct ota_agent *agent);

#endif
