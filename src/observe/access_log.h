/* access_log.h: one line an exchange: for machines as JSON, for a person at a
 * terminal as a short story. Never prompt text, never a key: the record holds
 * neither. What came from outside is cut to a length, so that a line is bounded. */
#ifndef BACKSTAY_OBSERVE_ACCESS_LOG_H
#define BACKSTAY_OBSERVE_ACCESS_LOG_H

#include "base/buf.h"
#include "observe/record.h"

/* Longest line either function makes, newline included: the maximum to give to
 * the buf. */
#define ACCESS_LINE_MAX ((size_t)128 * 1024)
/* More attempts than this are counted ("attempts_left_out"), not listed. */
#define ACCESS_ATTEMPTS_MAX 16

/* Appends one JSON object and a newline. Members that are not known (no token
 * came, no usage was told) are null. docs/operations.md lists them. */
void access_log_json(const struct exchange_record *r, struct buf *out);
/* Appends one readable line and a newline: time of day (UTC), status, what was
 * asked, who served it, how long it took, and what failed on the way. With
 * `colour`, ANSI colours mark what is good and bad. */
void access_log_terminal(const struct exchange_record *r, bool colour, struct buf *out);

#endif
