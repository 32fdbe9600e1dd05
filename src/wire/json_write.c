/* json_write.c: strings going out: escaped where they must be, always UTF-8. */
#include "wire/json_scan.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"            /* U+FFFD */

/* What stands for the bytes at p (< end), which json_plain_end() stopped at;
 * *eaten of them. `room` is used where the text is made on the spot. */
static struct slice spelling(const char *p, const char *end, char room[6], size_t *eaten)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char c = (unsigned char)*p;

	*eaten = 1;
	switch (c) {
	case '"':  return S("\\\"");
	case '\\': return S("\\\\");
	case '\b': return S("\\b");
	case '\f': return S("\\f");
	case '\n': return S("\\n");
	case '\r': return S("\\r");
	case '\t': return S("\\t");
	default:   break;
	}
	if (c >= 0x80) {
		if (json_utf8_next(p, end, eaten) == JSON_UTF8_GOOD)
			return (struct slice){ p, *eaten };
		return S(REPLACEMENT);
	}
	memcpy(room, "\\u00", 4);
	room[4] = hex[c >> 4];
	room[5] = hex[c & 15];
	return (struct slice){ room, 6 };
}

/* Writes to `to`, or only counts where it is NULL. Returns the length. */
static size_t put_string(struct slice text, char *to)
{
	const char *p = text.at, *end = text.at + text.len;
	size_t total = 0;
	char room[6];

	while (p < end) {
		const char *next = json_plain_end(p, end);
		struct slice run = { p, (size_t)(next - p) };
		size_t eaten = 0;

		if (to && run.len)
			memcpy(to + total, run.at, run.len);
		total += run.len;
		if (next < end) {
			run = spelling(next, end, room, &eaten);
			if (to)
				memcpy(to + total, run.at, run.len);
			total += run.len;
		}
		p = next + eaten;
	}
	return total;
}

/* Nothing in it needs an escape, as with nearly all that is written. */
static bool write_plain(struct buf *b, struct slice text)
{
	char *to = text.len < SIZE_MAX - 2 ? buf_room(b, text.len + 2) : NULL;

	if (!to)
		return false;
	to[0] = '"';
	memcpy(to + 1, text.at, text.len);
	to[text.len + 1] = '"';
	buf_added(b, text.len + 2);
	return true;
}

bool json_try_write_string(struct buf *b, struct slice text)
{
	size_t len;
	char *to;

	if (text.len == 0)
		return buf_append(b, S("\"\""));
	if (json_plain_end(text.at, text.at + text.len) == text.at + text.len)
		return write_plain(b, text);
	len = put_string(text, NULL) + 2;
	to = buf_room(b, len);
	if (!to)
		return false;
	to[0] = '"';
	put_string(text, to + 1);
	to[len - 1] = '"';
	buf_added(b, len);
	return true;
}

void json_write_string(struct buf *b, struct slice text)
{
	bool written = json_try_write_string(b, text);

	must(written);
}
