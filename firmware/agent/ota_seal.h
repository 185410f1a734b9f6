/**
 * What the agent's download asks of sealed objects (seal.c, hpke.c), which are a module of their own: built without FLOTA_SEAL it is not there, and
 * costs nothing. It stands between the download and the port's HTTP: the download asks for, and gets, bytes of the plain image or patch.
 */
#ifndef OTA_SEAL_H
#define OTA_SEAL_H

#include "ota_port.h"

struct ota_agent;

#ifdef FLOTA_SEAL

/** A download begins, or goes on after a reset. */
void ota_seal_begin(struct ota_agent *agent);
/** As the callbacks of the port: of the URL that is stored, whose fragment holds the key if it is of a sealed object. */
int ota_seal_get(struct ota_agent *agent, uint32_t from, uint32_t to);
int ota_seal_head(struct ota_agent *agent, struct ota_http_head *head);
int ota_seal_read(struct ota_agent *agent, uint8_t *data, size_t capacity);
/** True when what came was not the object: the attempt has been given up. */
bool ota_seal_fails(struct ota_agent *agent);
void ota_seal_write_ability(const struct ota_agent *agent, struct ota_text *text);

#else

static inline void ota_seal_begin(struct ota_agent *agent) { (void)agent; }
static inline bool ota_seal_fails(struct ota_agent *agent) { return (void)agent, false; }
static inline void ota_seal_write_ability(const struct ota_agent *agent, struct ota_text *text) { (void)agent, (void)text; }
/** These need the agent's insides. */
#define ota_seal_get(agent, from, to) ((agent)->port->http_get((agent)->port->ctx, (agent)->config.buffers.url, from, to))
#define ota_seal_head(agent, head) ((agent)->port->http_head((agent)->port->ctx, head))
#define ota_seal_read(agent, data, capacity) ((agent)->port->http_read((agent)->port->ctx, data, capacity))

#endif

#endif
