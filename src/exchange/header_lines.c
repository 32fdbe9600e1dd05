#include "exchange/header_lines.h"

#include "base/check.h"

#include <string.h>

static char *put(char *at, struct slice s)
{
	if (s.len > 0)
		memcpy(at, s.at, s.len);
	return at + s.len;
}

struct slice header_lines(struct arena *arena, const struct h1_header *headers, size_t count)
{
	size_t bytes = 0;
	char *all, *at;

	for (size_t i = 0; i < count; i++)
		bytes += headers[i].name.len + headers[i].value.len + sizeof ": \r\n" - 1;
	all = at = arena_alloc(arena, bytes);
	for (size_t i = 0; i < count; i++) {
		at = put(put(at, headers[i].name), S(": "));
		at = put(put(at, headers[i].value), S("\r\n"));
	}
	return (struct slice){ all, bytes };
}

bool header_lines_next(struct slice *lines, struct h1_header *h)
{
	struct slice line;

	if (!slice_cut(*lines, '\r', &line, lines))
		return false;
	*lines = slice_from(*lines, 1);
	must(slice_cut(line, ':', &h->name, &h->value));
	h->value = slice_from(h->value, 1);
	return true;
}
