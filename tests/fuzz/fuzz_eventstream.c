/* Binary event streams: plan of cuts, newline, stream. Whole and in pieces, the
 * same frames; the raw bytes are the stream; headers are read to their end; what
 * is written is read as it was. Random bytes hardly ever have the right sums, so
 * the rest is also framed, once as headers and once as a payload. */
#include "base/buf.h"
#include "tests/fuzz/pieces.h"
#include "wire/eventstream.h"

#include <zlib.h>

#define FRAMES_MAX (4 * PIECES_INPUT_MAX)

struct outcome {
	enum eventstream_step last;
	struct buf events;            /* all that was parsed, put one behind the other */
	struct buf raw;
};

static void note(struct buf *b, struct slice s)
{
	buf_putf(b, "%zu:", s.len);
	buf_put(b, s);
}

static void note_event(struct outcome *o, const struct eventstream_event *ev)
{
	struct slice rest = ev->headers, name, value;
	enum eventstream_value type;

	must(ev->raw.len >= 16);
	must(ev->data.len <= ev->raw.len);
	while (eventstream_next_header(&rest, &name, &type, &value)) {
		must(name.len > 0);
		must(type < EVENTSTREAM_VALUES);
	}
	must(rest.len == 0);
	note(&o->events, ev->type);
	note(&o->events, ev->data);
	buf_put(&o->raw, ev->raw);
}

static void feed(struct pieces *p, size_t bytes_max, struct outcome *o)
{
	struct eventstream parser;
	struct eventstream_event ev;
	struct slice piece;

	*o = (struct outcome){ EVENTSTREAM_MORE, BUF_INIT(4 * FRAMES_MAX), BUF_INIT(FRAMES_MAX) };
	eventstream_init(&parser, bytes_max);
	while (o->last == EVENTSTREAM_MORE && pieces_next(p, &piece)) {
		struct slice in = pieces_copy(p, piece);

		while ((o->last = eventstream_feed(&parser, &in, &ev)) == EVENTSTREAM_EVENT)
			note_event(o, &ev);
		must(o->last != EVENTSTREAM_MORE || in.len == 0);
	}
	if (o->last == EVENTSTREAM_MORE) {
		must(eventstream_rest(&parser).len < bytes_max);
		buf_put(&o->raw, eventstream_rest(&parser));
		must(slice_eq(buf_slice(&o->raw), p->all));
	}
	eventstream_free(&parser);
}

static void must_be_same(struct slice plan, struct slice in, size_t bytes_max)
{
	struct pieces all = pieces_create(SLICE_NONE, in), some = pieces_create(plan, in);
	struct outcome whole, cut;

	feed(&all, bytes_max, &whole);
	feed(&some, bytes_max, &cut);
	must(cut.last == whole.last);
	must(slice_eq(buf_slice(&cut.events), buf_slice(&whole.events)));
	buf_free(&whole.events);
	buf_free(&whole.raw);
	buf_free(&cut.events);
	buf_free(&cut.raw);
	pieces_free(&all);
	pieces_free(&some);
}

static void put_number(struct buf *out, size_t n)
{
	char bytes[4] = { (char)(n >> 24 & 0xff), (char)(n >> 16 & 0xff), (char)(n >> 8 & 0xff),
			  (char)(n & 0xff) };

	buf_put(out, (struct slice){ bytes, sizeof bytes });
}

static void put_sum(struct buf *out, size_t from)
{
	struct slice all = slice_from(buf_slice(out), from);

	put_number(out, crc32(0, (const Bytef *)all.at, (uInt)all.len));
}

/* A frame with right sums around any bytes. */
static void put_frame(struct buf *out, struct slice headers, struct slice payload)
{
	size_t from = buf_len(out);

	put_number(out, 16 + headers.len + payload.len);
	put_number(out, headers.len);
	put_sum(out, from);
	buf_put(out, headers);
	buf_put(out, payload);
	put_sum(out, from);
}

static void must_come_back(struct slice data)
{
	struct eventstream_header header = { S("x"), slice_sub(data, 0, data.len < 999 ? data.len : 999) };
	struct buf written = BUF_INIT(FRAMES_MAX);
	struct eventstream parser;
	struct eventstream_event ev;
	enum eventstream_value type;
	struct slice in, name, value;

	must(eventstream_write(&written, &header, 1, data));
	in = buf_slice(&written);
	eventstream_init(&parser, FRAMES_MAX);
	must(eventstream_feed(&parser, &in, &ev) == EVENTSTREAM_EVENT);
	must(in.len == 0);
	must(slice_eq(ev.data, data));
	must(eventstream_next_header(&ev.headers, &name, &type, &value));
	must(type == EVENTSTREAM_STRING);
	must(slice_eq(value, header.value));
	must(ev.headers.len == 0);
	eventstream_free(&parser);
	buf_free(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice plan, in;
	struct buf framed = BUF_INIT(FRAMES_MAX);

	pieces_split(data, size, &plan, &in);
	must_be_same(plan, in, PIECES_INPUT_MAX);
	must_be_same(plan, in, 16);
	put_frame(&framed, in, S("{}"));
	put_frame(&framed, S(""), in);
	must_be_same(plan, buf_slice(&framed), FRAMES_MAX);
	must_come_back(in);
	buf_free(&framed);
	return 0;
}
