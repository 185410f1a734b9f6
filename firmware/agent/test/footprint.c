/** Its size in .bss is the agent's RAM, without buffers; those of the others what the modules need beside it. */
#include "../delta.h"
#include "../ota_agent.h"
#include "../seal.h"

extern struct ota_agent ota_footprint;
struct ota_agent ota_footprint;

extern struct ota_seal ota_footprint_seal;
struct ota_seal ota_footprint_seal;

extern struct ota_delta ota_footprint_delta;
struct ota_delta ota_footprint_delta;
