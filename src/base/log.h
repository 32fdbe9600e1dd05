/* log.h: the operator's log: one event a line, logfmt.
 *
 *   2026-11-23T14:05:01.250Z warn target_fault target=openai/gpt-6-luna fault=silence
 *
 * A log is a value handed down, never a global; where its lines go is the
 * sink's affair (the daemon's never blocks; the simulator's keeps them). No
 * prompt text, no key and no header value that may hold one is ever logged. */
#ifndef BACKSTAY_BASE_LOG_H
#define BACKSTAY_BASE_LOG_H

#include "base/check.h"
#include "base/slice.h"

#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
	/* Takes one whole line, newline included; must not block. */
	void (*sink)(void *owner, enum log_level level, struct slice line);
	/* Unix time in ms, for the line's stamp. */
	int64_t (*wall_ms)(void *owner);
	void *owner;
	enum log_level level;         /* lines above it are dropped */
};

/* Writes one line: time, level, `event` (a word), then the formatted rest,
 * which is by convention key=value pairs; use %s with log_quote() for text that
 * may hold spaces. Control characters are replaced. Lines over 4 KiB are cut.
 * A NULL log drops everything. */
void log_line(const struct log *log, enum log_level level, const char *event,
	      const char *format, ...) PRINTF_LIKE(4, 5);
/* True if a line of that level would be written; for costly arguments. */
bool log_wants(const struct log *log, enum log_level level);
/* `s` as a logfmt value: as it is, or in double quotes with \", \\, \n, \r and
 * \t escaped (other controls become '?') if it is empty or holds a space, a
 * quote, '=' or a control. What does not fit ends in "...". `size` (at least 8)
 * counts the NUL. Gives `out`. */
const char *log_quote(struct slice s, char *out, size_t size);
/* "error", "warn", "info", "debug"; the second gives false for anything else. */
const char *log_level_name(enum log_level level);
bool log_level_parse(struct slice name, enum log_level *out);
/* RFC 3339 UTC with milliseconds, e.g. 2026-11-23T14:05:01.250Z (24 bytes and NUL). */
void log_stamp(int64_t wall_ms, char out[static 25]);

#endif
