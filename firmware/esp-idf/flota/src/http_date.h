#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <stdint.h>

/* RFC 9110, 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT" as seconds since 1970, or -1. The two obsolete forms are not read. */
int64_t flota_http_date_read(const char *text);

#endif
