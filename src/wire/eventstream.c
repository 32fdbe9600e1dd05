#include "wire/eventstream.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define PRELUDE_BYTES 12              /* two lengths and their sum */
#define FRAME_BYTES_MIN (PRELUDE_BYTES + 4)
#define SUM_BYTES 4
#define NAME_BYTES_MAX 255
#define VALUE_BYTES_MAX 32767

void eventstream_init(struct eventstream *p, size_t event_bytes_max)
{
	must(event_bytes_max >= FRAME_BYTES_MIN);
	p->pending = BUF_INIT(event_bytes_max);
	p->event_bytes_max = event_bytes_max;
	p->handed_out = false;
}

void eventstream_free(struct eventstream *p)
{
	buf_free(&p->pending);
}

/* ---- numbers -------------------------------------------------------------------- */

static uint32_t number_at(const char *at)
{
	const unsigned char *b = (const unsigned char *)at;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static char *put_number(char *at, uint32_t n)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		*at++ = (char)(n >> shift & 0xff);
	return at;
}

/* zlib counts in uInt; frames are far below its range. */
static uint32_t sum_of(const char *at, size_t len)
{
	return (uint32_t)crc32(0, (const Bytef *)at, (uInt)len);
}

/* ---- headers --------------------------------------------------------------------- */

/* Bytes of a value of each type; -1: two bytes of length stand before it. */
static const int value_bytes[EVENTSTREAM_VALUES] = { 0, 0, 1, 2, 4, 8, -1, -1, 8, 16 };

bool eventstream_next_header(struct slice *rest, struct slice *name, enum eventstream_value *type,
			     struct slice *value)
{
	const unsigned char *b = (const unsigned char *)rest->at;
	size_t at = 1, len;

	if (rest->len == 0 || b[0] == 0 || rest->len < at + b[0] + 1u)
		return false;
	*name = slice_sub(*rest, at, at + b[0]);
	at += b[0];
	if (b[at] >= EVENTSTREAM_VALUES)
		return false;
	*type = (enum eventstream_value)b[at++];
	if (value_bytes[*type] >= 0) {
		len = (size_t)value_bytes[*type];
	} else {
		if (rest->len < at + 2)
			return false;
		len = (size_t)b[at] << 8 | b[at + 1];
		at += 2;
	}
	if (rest->len - at < len)
		return false;
	*value = slice_sub(*rest, at, at + len);
	*rest = slice_from(*rest, at + len);
	return true;
}

/* The headers that say what a frame is. */
struct meaning {
	struct slice message_type, event_type, exception_type, error_code, error_message;
};

/* False: they are no headers. The first of several with one name counts. */
static bool read_headers(struct slice headers, struct meaning *m)
{
	const struct { struct slice name; struct slice *to; } wanted[] = {
		{ S(":message-type"), &m->message_type }, { S(":event-type"), &m->event_type },
		{ S(":exception-type"), &m->exception_type }, { S(":error-code"), &m->error_code },
		{ S(":error-message"), &m->error_message },
	};
	enum eventstream_value type;
	struct slice name, value;

	*m = (struct meaning){ .message_type = SLICE_NONE };
	while (eventstream_next_header(&headers, &name, &type, &value))
		for (size_t i = 0; i < COUNT_OF(wanted) && type == EVENTSTREAM_STRING; i++)
			if (slice_eq(name, wanted[i].name) && !wanted[i].to->at)
				*wanted[i].to = value;
	return headers.len == 0;
}

/* False: the name is too long to be one. */
static bool name_type(struct eventstream *p, const char *kind, struct slice name,
		      struct slice *type)
{
	int len = snprintf(p->type, sizeof p->type, ":%s/%.*s", kind, SLICE_ARG(name));

	*type = (struct slice){ p->type, (size_t)len };
	return len >= 0 && (size_t)len < sizeof p->type && !memchr(name.at ? name.at : "", '\0', name.len);
}

/* ---- one frame --------------------------------------------------------------------- */

/* Reads a whole frame whose prelude is good. */
static enum eventstream_step read_frame(struct eventstream *p, struct slice frame,
					struct eventstream_event *ev)
{
	size_t headers_end = PRELUDE_BYTES + number_at(frame.at + 4), end = frame.len - SUM_BYTES;
	struct meaning m;

	if (number_at(frame.at + end) != sum_of(frame.at, end))
		return EVENTSTREAM_BROKEN;
	*ev = (struct eventstream_event){
		.raw = frame,
		.headers = slice_sub(frame, PRELUDE_BYTES, headers_end),
		.data = slice_sub(frame, headers_end, end),
	};
	if (!read_headers(ev->headers, &m))
		return EVENTSTREAM_BROKEN;
	ev->type = m.event_type;
	if (slice_eq(m.message_type, S("exception")) && !name_type(p, "exception", m.exception_type, &ev->type))
		return EVENTSTREAM_BROKEN;
	if (slice_eq(m.message_type, S("error"))) {
		if (!name_type(p, "error", m.error_code, &ev->type))
			return EVENTSTREAM_BROKEN;
		ev->data = m.error_message;
	}
	return EVENTSTREAM_EVENT;
}

/* Looks at a prelude: EVENTSTREAM_EVENT if it is good, with the frame's length. */
static enum eventstream_step read_prelude(const struct eventstream *p, const char *at, size_t *len)
{
	uint32_t total = number_at(at), headers = number_at(at + 4);

	if (number_at(at + 8) != sum_of(at, 8))
		return EVENTSTREAM_BROKEN;
	if (total < FRAME_BYTES_MIN || headers > total - FRAME_BYTES_MIN)
		return EVENTSTREAM_BROKEN;
	if (total > p->event_bytes_max)
		return EVENTSTREAM_TOO_LONG;
	*len = total;
	return EVENTSTREAM_EVENT;
}

/* ---- the stream ---------------------------------------------------------------------- */

/* Takes bytes of `in` until pending holds `want`. False: there is no memory;
 * *enough tells whether it holds them. */
static bool gather(struct eventstream *p, struct slice *in, size_t want, bool *enough)
{
	size_t lack = want - buf_len(&p->pending), take = lack < in->len ? lack : in->len;

	if (!buf_append(&p->pending, slice_sub(*in, 0, take)))
		return false;
	*in = slice_from(*in, take);
	*enough = take == lack;
	return true;
}

/* The frame in pending goes on with `in`. */
static enum eventstream_step feed_pending(struct eventstream *p, struct slice *in,
					  struct eventstream_event *ev)
{
	enum eventstream_step step;
	bool enough = true;
	size_t len;

	if (buf_len(&p->pending) < PRELUDE_BYTES && !gather(p, in, PRELUDE_BYTES, &enough))
		return EVENTSTREAM_TOO_LONG;
	if (!enough)
		return EVENTSTREAM_MORE;
	step = read_prelude(p, buf_slice(&p->pending).at, &len);
	if (step != EVENTSTREAM_EVENT)
		return step;
	if (!gather(p, in, len, &enough))
		return EVENTSTREAM_TOO_LONG;
	if (!enough)
		return EVENTSTREAM_MORE;
	p->handed_out = true;
	return read_frame(p, buf_slice(&p->pending), ev);
}

/* A frame starts at the front of `in`: it is read where it lies. */
static enum eventstream_step feed_input(struct eventstream *p, struct slice *in,
					struct eventstream_event *ev)
{
	enum eventstream_step step;
	struct slice frame;
	size_t len;

	if (in->len < PRELUDE_BYTES)
		return feed_pending(p, in, ev);
	step = read_prelude(p, in->at, &len);
	if (step != EVENTSTREAM_EVENT)
		return step;
	if (in->len < len)
		return feed_pending(p, in, ev);
	frame = slice_sub(*in, 0, len);
	*in = slice_from(*in, len);
	return read_frame(p, frame, ev);
}

enum eventstream_step eventstream_feed(struct eventstream *p, struct slice *in,
				       struct eventstream_event *ev)
{
	enum eventstream_step step = EVENTSTREAM_MORE;

	if (p->handed_out) {
		buf_clear(&p->pending);
		p->handed_out = false;
	}
	if (in->len > 0)
		step = buf_len(&p->pending) ? feed_pending(p, in, ev) : feed_input(p, in, ev);
	if (step == EVENTSTREAM_MORE)
		buf_release(&p->pending);
	return step;
}

struct slice eventstream_rest(const struct eventstream *p)
{
	return p->handed_out ? SLICE_NONE : buf_slice(&p->pending);
}

/* ---- writing --------------------------------------------------------------------------- */

static char *put_header(char *at, const struct eventstream_header *h)
{
	must(h->name.len >= 1);
	must(h->name.len <= NAME_BYTES_MAX);
	must(h->value.len <= VALUE_BYTES_MAX);
	*at++ = (char)h->name.len;
	memcpy(at, h->name.at, h->name.len);
	at += h->name.len;
	*at++ = EVENTSTREAM_STRING;
	*at++ = (char)(h->value.len >> 8);
	*at++ = (char)(h->value.len & 0xff);
	if (h->value.len)
		memcpy(at, h->value.at, h->value.len);
	return at + h->value.len;
}

bool eventstream_write(struct buf *out, const struct eventstream_header *headers, size_t count,
		       struct slice payload)
{
	size_t headers_len = 0, len;
	char *from, *at;

	for (size_t i = 0; i < count; i++)
		headers_len += 4 + headers[i].name.len + headers[i].value.len;
	len = FRAME_BYTES_MIN + headers_len + payload.len;
	if (len > UINT32_MAX || !(from = buf_room(out, len)))
		return false;
	at = put_number(from, (uint32_t)len);
	at = put_number(at, (uint32_t)headers_len);
	at = put_number(at, sum_of(from, 8));
	for (size_t i = 0; i < count; i++)
		at = put_header(at, &headers[i]);
	if (payload.len)
		memcpy(at, payload.at, payload.len);
	at = put_number(at + payload.len, sum_of(from, len - SUM_BYTES));
	must((size_t)(at - from) == len);
	buf_added(out, len);
	return true;
}
