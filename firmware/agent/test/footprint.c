/** Its size in .bss is the agent's RAM, without buffers. */
#include "../ota_agent.h"

extern struct ota_agent ota_footprint;
struct ota_agent ota_footprint;
