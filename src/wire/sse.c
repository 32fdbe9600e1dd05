#include "wire/sse.h"

#include "wire/scan.h"

#define BOM "\xEF\xBB\xBF"
#define BOM_BYTES 3

void sse_init(struct sse *p, size_t event_bytes_max)
{
	must(event_bytes_max > BOM_BYTES);
	must(event_bytes_max < SIZE_MAX);
	/* One more than an event: the LF that completes its last line end. */
	*p = (struct sse){ .pending = BUF_INIT(event_bytes_max + 1),
			   .joined = BUF_INIT(event_bytes_max + 1),
			   .event_bytes_max = event_bytes_max };
}

void sse_free(struct sse *p)
{
	buf_free(&p->pending);
	buf_free(&p->joined);
}

/* ---- one block ---------------------------------------------------------------- */

/* The first data: line is a slice of the block; only a second one costs a copy. */
static bool on_data(struct sse *p, struct sse_event *ev, struct slice value)
{
	if (!ev->has_data) {
		ev->has_data = true;
		ev->data = value;
		return true;
	}
	if (buf_len(&p->joined) == 0 && !buf_append(&p->joined, ev->data))
		return false;
	if (!buf_append(&p->joined, S("\n")) || !buf_append(&p->joined, value))
		return false;
	ev->data = buf_slice(&p->joined);
	return true;
}

/* Takes one line without its end. False: there is no memory. */
static bool on_line(struct sse *p, struct sse_event *ev, const char *at, const char *end)
{
	struct slice name = { at, (size_t)(end - at) }, line = name, value = { end, 0 };
	size_t brace;
	const char *colon;

	if (*at == ':') {
		ev->has_comment = true;
		return true;
	}
	colon = memchr(at, ':', name.len);
	if (colon) {
		name.len = (size_t)(colon - at);
		at = colon + 1;
		if (at < end && *at == ' ')
			at++;
		value = (struct slice){ at, (size_t)(end - at) };
	}
	if (slice_eq(name, S("data")))
		return on_data(p, ev, value);
	if (slice_eq(name, S("event")))
		ev->type = value;
	else if (slice_eq(name, S("id")))
		ev->id = slice_find(value, '\0') == SLICE_NOT_FOUND ? value : ev->id;
	else if ((brace = slice_find(line, '{')) != SLICE_NOT_FOUND)
		ev->stray = slice_from(line, brace);
	return true;
}

enum block { BLOCK_WHOLE, BLOCK_OPEN, BLOCK_NO_MEMORY };

/* Reads the block at the front of `in`. BLOCK_WHOLE: ev->raw is the block, up
 * to the CR or LF of its blank line (an LF behind that CR not yet included). */
static enum block read_block(struct sse *p, struct slice in, struct sse_event *ev)
{
	const char *at = in.at, *end = in.at + in.len;

	*ev = (struct sse_event){ .raw = in };
	buf_clear(&p->joined);
	while (at < end) {
		const char *line = at;

		at = scan_newline(at, end);
		if (at == end)
			break;
		if (at == line) {
			ev->raw.len = (size_t)(at + 1 - in.at);
			return BLOCK_WHOLE;
		}
		if (!on_line(p, ev, line, at))
			return BLOCK_NO_MEMORY;
		at += *at == '\r' && at + 1 < end && at[1] == '\n' ? 2 : 1;
	}
	return BLOCK_OPEN;
}

/* ---- the stream --------------------------------------------------------------- */

/* A block ended where `in` now starts. If its end was a CR, an LF behind it
 * belongs to it; that LF may be yet to come. */
static bool takes_lf(struct sse *p, struct slice *in, char last)
{
	if (last != '\r')
		return false;
	if (in->len == 0) {
		p->skip_lf = true;
		return false;
	}
	if (*in->at != '\n')
		return false;
	*in = slice_from(*in, 1);
	return true;
}

/* How many bytes of `in` complete the block in pending; in.len + 1 if all of
 * them do not. */
static size_t block_end(const struct sse *p, struct slice in)
{
	struct slice held = buf_slice(&p->pending);
	const char *at = in.at, *end = in.at + in.len;
	char last = held.at[held.len - 1];
	bool line_empty = last == '\n' || last == '\r';

	if (last == '\r' && *at == '\n')
		at++;
	while (at < end) {
		const char *line = at;

		at = scan_newline(at, end);
		if (at == end)
			break;
		if (at == line && line_empty)
			return (size_t)(at + 1 - in.at);
		line_empty = true;
		at += *at == '\r' && at + 1 < end && at[1] == '\n' ? 2 : 1;
	}
	return in.len + 1;
}

/* The block in pending goes on with `in`. */
static enum sse_step feed_pending(struct sse *p, struct slice *in, struct sse_event *ev)
{
	size_t count = block_end(p, *in);
	bool open = count > in->len;
	struct slice part = slice_sub(*in, 0, open ? in->len : count);

	if (part.len > p->event_bytes_max - buf_len(&p->pending))
		return SSE_TOO_LONG;
	if (!buf_append(&p->pending, part))
		return SSE_TOO_LONG;
	*in = slice_from(*in, part.len);
	if (open)
		return SSE_MORE;
	if (takes_lf(p, in, part.at[part.len - 1]) && !buf_append(&p->pending, S("\n")))
		return SSE_TOO_LONG;
	p->handed_out = true;
	if (read_block(p, buf_slice(&p->pending), ev) != BLOCK_WHOLE)
		return SSE_TOO_LONG;
	ev->raw = buf_slice(&p->pending);
	return SSE_EVENT;
}

/* A block starts at the front of `in`: it is read where it lies. */
static enum sse_step feed_input(struct sse *p, struct slice *in, struct sse_event *ev)
{
	switch (read_block(p, *in, ev)) {
	case BLOCK_NO_MEMORY:
		return SSE_TOO_LONG;
	case BLOCK_OPEN:
		if (in->len > p->event_bytes_max || !buf_append(&p->pending, *in))
			return SSE_TOO_LONG;
		*in = slice_from(*in, in->len);
		return SSE_MORE;
	case BLOCK_WHOLE:
		break;
	}
	if (ev->raw.len > p->event_bytes_max)
		return SSE_TOO_LONG;
	*in = slice_from(*in, ev->raw.len);
	if (takes_lf(p, in, ev->raw.at[ev->raw.len - 1]))
		ev->raw.len++;
	return SSE_EVENT;
}

/* Eats the BOM, which may come in pieces: what is there of it waits in
 * pending, and is the start of the first block if it turns out to be none. */
static bool settle_start(struct sse *p, struct slice *in)
{
	while (!p->started && in->len > 0) {
		size_t held = buf_len(&p->pending);

		if (*in->at != BOM[held]) {
			p->started = true;
			break;
		}
		if (!buf_append(&p->pending, slice_sub(*in, 0, 1)))
			return false;
		*in = slice_from(*in, 1);
		if (held + 1 == BOM_BYTES) {
			buf_clear(&p->pending);
			p->started = true;
		}
	}
	return true;
}

static void release(struct sse *p)
{
	buf_clear(&p->joined);
	buf_release(&p->joined);
	buf_release(&p->pending);
}

enum sse_step sse_feed(struct sse *p, struct slice *in, struct sse_event *ev)
{
	enum sse_step step;

	if (p->handed_out) {
		buf_clear(&p->pending);
		p->handed_out = false;
	}
	if (in->len > 0 && p->skip_lf) {
		p->skip_lf = false;
		if (*in->at == '\n')
			*in = slice_from(*in, 1);
	}
	if (!p->started && !settle_start(p, in))
		return SSE_TOO_LONG;
	if (in->len == 0)
		step = SSE_MORE;
	else if (buf_len(&p->pending) > 0)
		step = feed_pending(p, in, ev);
	else
		step = feed_input(p, in, ev);
	if (step == SSE_MORE)
		release(p);
	return step;
}

struct slice sse_rest(const struct sse *p)
{
	return p->handed_out ? SLICE_NONE : buf_slice(&p->pending);
}

/* ---- writing ------------------------------------------------------------------ */

/* Cuts the first line off *rest; false behind the last one. */
static bool next_line(struct slice *rest, struct slice *line)
{
	const char *end, *at;

	if (!rest->at)
		return false;
	end = rest->at + rest->len;
	at = scan_newline(rest->at, end);
	*line = (struct slice){ rest->at, (size_t)(at - rest->at) };
	if (at == end) {
		*rest = SLICE_NONE;
		return true;
	}
	at += *at == '\r' && at + 1 < end && at[1] == '\n' ? 2 : 1;
	*rest = (struct slice){ at, (size_t)(end - at) };
	return true;
}

static char *put(char *at, struct slice s)
{
	if (s.len > 0)
		memcpy(at, s.at, s.len);
	return at + s.len;
}

bool sse_try_write(struct buf *b, struct slice type, struct slice data)
{
	struct slice all = data.at ? data : S(""), rest = all, line;
	size_t bytes = 1 + (type.len > 0 ? type.len + sizeof "event: \n" - 1 : 0);
	char *from, *at;

	must(slice_find(type, '\n') == SLICE_NOT_FOUND);
	must(slice_find(type, '\r') == SLICE_NOT_FOUND);
	while (next_line(&rest, &line))
		bytes += line.len + sizeof "data: \n" - 1;
	from = at = buf_room(b, bytes);
	if (!at)
		return false;
	if (type.len > 0) {
		at = put(at, S("event: "));
		at = put(at, type);
		*at++ = '\n';
	}
	for (rest = all; next_line(&rest, &line);) {
		at = put(at, S("data: "));
		at = put(at, line);
		*at++ = '\n';
	}
	*at++ = '\n';
	must((size_t)(at - from) == bytes);
	buf_added(b, bytes);
	return true;
}

void sse_write(struct buf *b, struct slice type, struct slice data)
{
	must(sse_try_write(b, type, data));
}
