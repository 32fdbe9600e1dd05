#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The longest line, newline included. */
#define LINE_SIZE_MAX 4096
#define CUT_MARK "..."

/* 9999-12-31T23:59:59.999Z, the last one with a year of four digits. */
#define WALL_MS_MAX INT64_C(253402300799999)

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

const char *log_level_name(enum log_level level)
{
	must((unsigned)level < COUNT_OF(level_names));
	return level_names[level];
}

bool log_level_parse(struct slice name, enum log_level *out)
{
	for (unsigned i = 0; i < COUNT_OF(level_names); i++) {
		if (slice_eq(name, slice_of(level_names[i]))) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool log_wants(const struct log *log, enum log_level level)
{
	return log && level <= log->level;
}

/* `value` (>= 0) as `width` digits. Gives the place behind them. */
static char *put_digits(char *at, int value, int width)
{
	for (int i = width - 1; i >= 0; i--) {
		at[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return at + width;
}

void log_stamp(int64_t wall_ms, char out[static 25])
{
	struct tm t;
	time_t seconds;
	char *at = out;

	if (wall_ms < 0)
		wall_ms = 0;
	if (wall_ms > WALL_MS_MAX)
		wall_ms = WALL_MS_MAX;
	seconds = (time_t)(wall_ms / 1000);
	must(gmtime_r(&seconds, &t) != NULL);
	at = put_digits(at, t.tm_year + 1900, 4);
	*at++ = '-';
	at = put_digits(at, t.tm_mon + 1, 2);
	*at++ = '-';
	at = put_digits(at, t.tm_mday, 2);
	*at++ = 'T';
	at = put_digits(at, t.tm_hour, 2);
	*at++ = ':';
	at = put_digits(at, t.tm_min, 2);
	*at++ = ':';
	at = put_digits(at, t.tm_sec, 2);
	*at++ = '.';
	at = put_digits(at, (int)(wall_ms % 1000), 3);
	*at++ = 'Z';
	*at = '\0';
	must(at == out + 24);
}

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* ASCII controls, and the second set of controls in UTF-8 (U+0080 to U+009F),
 * which terminals obey as well. */
static void replace_controls(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		unsigned char next = i + 1 < len ? (unsigned char)text[i + 1] : 0;

		if (is_control(c))
			text[i] = '?';
		else if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
			text[i] = text[i + 1] = '?';
	}
}

/* The largest length up to `len` that does not end inside a UTF-8 sequence of
 * `text`, of which at least len + 1 bytes can be read. */
static size_t whole_characters(const char *text, size_t len)
{
	size_t cut = len;

	while (cut > 0 && len - cut < 4 && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--;
	return ((unsigned char)text[cut] & 0xc0) == 0x80 ? len : cut;
}

void log_line(const struct log *log, enum log_level level, const char *event,
	      const char *format, ...)
{
	char line[LINE_SIZE_MAX];
	char stamp[25];
	size_t len, room = sizeof line - 1;      /* the newline takes the NUL's place */
	va_list args;
	int wrote;

	if (!log_wants(log, level))
		return;
	log_stamp(log->wall_ms(log->owner), stamp);
	wrote = snprintf(line, sizeof line, "%s %s %.64s ", stamp, log_level_name(level), event);
	must(wrote > 0);
	len = (size_t)wrote;
	must(len < sizeof line);
	va_start(args, format);
	wrote = vsnprintf(line + len, sizeof line - len, format, args);
	va_end(args);
	must(wrote >= 0);
	if ((size_t)wrote > room - len) {
		len = whole_characters(line, room - strlen(CUT_MARK));
		memcpy(line + len, CUT_MARK, strlen(CUT_MARK));
		len += strlen(CUT_MARK);
	} else {
		len += (size_t)wrote;
	}
	while (line[len - 1] == ' ')
		len--;
	replace_controls(line, len);
	line[len++] = '\n';
	log->sink(log->owner, level, (struct slice){ line, len });
}

static bool needs_quotes(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];

		if (is_control(c) || c == ' ' || c == '"' || c == '=')
			return true;
	}
	return s.len == 0;
}

/* One byte as it stands between quotes: itself, or two bytes. */
static size_t escape(char c, char out[2])
{
	switch (c) {
	case '"':  out[1] = '"';  break;
	case '\\': out[1] = '\\'; break;
	case '\n': out[1] = 'n';  break;
	case '\r': out[1] = 'r';  break;
	case '\t': out[1] = 't';  break;
	default:
		out[0] = is_control((unsigned char)c) ? '?' : c;
		return 1;
	}
	out[0] = '\\';
	return 2;
}

const char *log_quote(struct slice s, char *out, size_t size)
{
	size_t mark = strlen(CUT_MARK);
	size_t len = 0, cut = 1, last;

	must(size >= 8);
	if (!needs_quotes(s) && s.len < size) {
		memcpy(out, s.at, s.len);
		out[s.len] = '\0';
		return out;
	}
	/* `last`: behind it come the closing quote and NUL. `cut`: the longest
	 * beginning that leaves room for the mark as well. */
	last = size - 2;
	out[len++] = '"';
	for (size_t i = 0; i < s.len; i++) {
		char bytes[2];
		size_t count = escape(s.at[i], bytes);

		if (len + mark <= last && ((unsigned char)s.at[i] & 0xc0) != 0x80)
			cut = len;
		if (len + count > last) {
			memcpy(out + cut, CUT_MARK, mark);
			len = cut + mark;
			break;
		}
		memcpy(out + len, bytes, count);
		len += count;
	}
	out[len++] = '"';
	out[len] = '\0';
	return out;
}
