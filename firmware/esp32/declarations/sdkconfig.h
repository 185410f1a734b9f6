/* What CONFIG_… the sources look at; made by the build in a real project. */
#pragma once
#define CONFIG_FLOTA_UNO 1
#define CONFIG_LWIP_SNTP_MAX_SERVERS 2
