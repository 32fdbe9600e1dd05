#include "config/inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SENTENCE_MAX 1024
#define QUOTED_MAX 60

/* Names and values of the file may stand in a sentence; they shall not break
 * its line. */
static char printable(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f ? '?' : c;
}

static struct slice sentence(struct arena *arena, const char *format, va_list args)
	PRINTF_LIKE(2, 0);
static struct slice sentence(struct arena *arena, const char *format, va_list args)
{
	char text[SENTENCE_MAX];
	int len = vsnprintf(text, sizeof text, format, args);

	must(len >= 0);
	if ((size_t)len >= sizeof text)
		len = (int)sizeof text - 1;
	for (int i = 0; i < len; i++)
		text[i] = printable(text[i]);
	return arena_copy(arena, (struct slice){ text, (size_t)len });
}

void complain(struct reader *r, unsigned line, unsigned column, const char *format, ...)
{
	size_t at = r->complaint_count++;
	va_list args;

	if (at >= CONFIG_COMPLAINTS_MAX)
		return;
	va_start(args, format);
	r->complaints[at] = (struct complaint){
		.line = line, .column = column, .order = at,
		.text = sentence(r->scratch, format, args),
	};
	va_end(args);
}

void note(struct reader *r, const char *format, ...)
{
	va_list args;

	if (r->note_count >= CONFIG_NOTES_MAX)
		return;
	va_start(args, format);
	r->notes[r->note_count++] = sentence(r->arena, format, args);
	va_end(args);
}

static int by_place(const void *left, const void *right)
{
	const struct complaint *a = left, *b = right;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

void complaints_write(struct reader *r, struct buf *out)
{
	size_t kept = r->complaint_count;
	bool room = true;

	if (kept > CONFIG_COMPLAINTS_MAX)
		kept = CONFIG_COMPLAINTS_MAX;
	qsort(r->complaints, kept, sizeof *r->complaints, by_place);
	for (size_t i = 0; i < kept && room; i++) {
		const struct complaint *c = &r->complaints[i];

		room = buf_printf(out, "%.*s:%u:%u: %.*s\n", SLICE_ARG(r->file), c->line,
				  c->column, SLICE_ARG(c->text));
	}
	if (room && r->complaint_count > kept)
		room = buf_printf(out, "%.*s: and %zu more mistakes\n", SLICE_ARG(r->file),
				  r->complaint_count - kept);
	(void)room;                   /* a full buffer holds enough to begin with */
}

const char *quote(struct reader *r, struct slice s)
{
	size_t len = s.len > QUOTED_MAX ? QUOTED_MAX : s.len;
	char *out = arena_alloc(r->scratch, len + sizeof "\"...\"");
	size_t at = 0;

	if (len < s.len)              /* never cut a UTF-8 character */
		while (len > 0 && ((unsigned char)s.at[len] & 0xc0) == 0x80)
			len--;
	out[at++] = '"';
	for (size_t i = 0; i < len; i++)
		out[at++] = printable(s.at[i]);
	if (len < s.len)
		for (int i = 0; i < 3; i++)
			out[at++] = '.';
	out[at++] = '"';
	out[at] = '\0';
	return out;
}
