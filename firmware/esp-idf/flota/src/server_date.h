#ifndef SERVER_DATE_H
#define SERVER_DATE_H

#include <stdint.h>

#include "settings.h"

/*
 * The Date (RFC 9110, 6.6.1) of the server of enroll_url, in seconds since 1970, or -1. Chain, host name and signatures are checked as
 * always; only the certificates' dates are not, for that is what the time is wanted for.
 */
int64_t flota_server_date(const struct settings *settings);

#endif
