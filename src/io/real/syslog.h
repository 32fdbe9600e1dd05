/* syslog.h: one message at a time to a syslog daemon. */
#ifndef BACKSTAY_IO_REAL_SYSLOG_H
#define BACKSTAY_IO_REAL_SYSLOG_H

#include "io/io.h"

struct syslog;

/* To a unix socket (in the form that local daemons read) or by UDP (RFC 5424,
 * RFC 5426). Nobody needs to listen yet. NULL on failure with a sentence in `why`. */
struct syslog *syslog_open(const struct io_addr *to, char *why, size_t why_size);
/* Sends `text` as one message of facility daemon and severity info. Waits for
 * nobody; false: it could not be given to the daemon. */
bool syslog_say(struct syslog *s, struct slice text);
void syslog_close(struct syslog *s);         /* NULL is fine */

#endif
