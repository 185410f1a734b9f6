/** Its size in .bss is the agent's RAM, without buffers; that of the other what delta updates need beside it. */
#include "../delta.h"
#include "../ota_agent.h"

extern struct ota_agent ota_footprint;
struct ota_agent ota_footprint;

extern struct ota_delta ota_footprint_delta;
struct ota_delta ota_footprint_delta;
