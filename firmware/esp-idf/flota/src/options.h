/* The build's CONFIG_…; what Kconfig would have set where there is none (Arduino) and no -D of the build says otherwise. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "sdkconfig.h"

#ifdef ARDUINO
/* The agent is built by flags of its own, which Kconfig gives it elsewhere. */
#if defined(CONFIG_FLOTA_PATCHES) && !defined(FLOTA_DELTA)
#error "Flota: build with -DFLOTA_DELTA instead of -DCONFIG_FLOTA_PATCHES"
#endif
#if defined(CONFIG_FLOTA_ENCRYPTION) && !defined(FLOTA_SEAL)
#error "Flota: build with -DFLOTA_SEAL instead of -DCONFIG_FLOTA_ENCRYPTION"
#endif
#ifndef CONFIG_FLOTA_HARDWARE
#define CONFIG_FLOTA_HARDWARE ""
#endif
#ifndef CONFIG_FLOTA_NTP_SERVER
#define CONFIG_FLOTA_NTP_SERVER "pool.ntp.org"
#endif
#ifndef CONFIG_FLOTA_TIME_FROM_SERVER
#define CONFIG_FLOTA_TIME_FROM_SERVER CONFIG_MBEDTLS_CERTIFICATE_BUNDLE
#endif
#ifndef CONFIG_FLOTA_TRIAL_START_S
#define CONFIG_FLOTA_TRIAL_START_S 300
#endif
#ifndef CONFIG_FLOTA_WORK_KIB
#define CONFIG_FLOTA_WORK_KIB 8
#endif
#ifndef CONFIG_FLOTA_RING_KIB
#define CONFIG_FLOTA_RING_KIB 16
#endif
#ifndef CONFIG_FLOTA_JOURNAL_KIB
#define CONFIG_FLOTA_JOURNAL_KIB 12
#endif
#endif

#endif
