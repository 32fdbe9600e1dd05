/* Event streams: plan of cuts, newline, stream. Whole and in pieces, the same
 * events; the raw bytes are the stream; what is written is read as it was. */
#include "base/buf.h"
#include "tests/fuzz/pieces.h"
#include "wire/sse.h"

#define BOM "\xEF\xBB\xBF"

struct outcome {
	enum sse_step last;
	struct buf events;            /* all that was parsed, put one behind the other */
	struct buf raw;
};

static void note(struct buf *b, struct slice s)
{
	buf_putf(b, "%zu:", s.len);
	buf_put(b, s);
}

static void note_event(struct outcome *o, const struct sse_event *ev, size_t bytes_max)
{
	must(ev->raw.len >= 1);
	must(ev->raw.len <= bytes_max + 1);
	must(ev->data.len <= ev->raw.len);
	must(ev->has_data || ev->data.len == 0);
	note(&o->events, ev->type);
	note(&o->events, ev->data);
	note(&o->events, ev->id);
	buf_putf(&o->events, "%d%d;", ev->has_data, ev->has_comment);
	buf_put(&o->raw, ev->raw);
}

static void feed(struct pieces *p, size_t bytes_max, struct outcome *o)
{
	struct sse parser;
	struct sse_event ev;
	struct slice piece;
	bool ended_in_cr = false;

	*o = (struct outcome){ SSE_MORE, BUF_INIT(64 * PIECES_INPUT_MAX),
			       BUF_INIT(PIECES_INPUT_MAX) };
	sse_init(&parser, bytes_max);
	while (o->last == SSE_MORE && pieces_next(p, &piece)) {
		struct slice in = pieces_copy(p, piece);

		/* An LF cut off its CR is the one byte that is in no block. */
		if (in.len > 0 && ended_in_cr && *in.at == '\n')
			buf_puts(&o->raw, "\n");
		ended_in_cr = ended_in_cr && in.len == 0;
		while ((o->last = sse_feed(&parser, &in, &ev)) == SSE_EVENT) {
			note_event(o, &ev, bytes_max);
			ended_in_cr = in.len == 0 && slice_ends(ev.raw, S("\r"));
		}
		must(o->last != SSE_MORE || in.len == 0);
	}
	if (o->last == SSE_MORE) {
		struct slice start = slice_starts(p->all, S(BOM)) ? S(BOM) : S("");

		must(sse_rest(&parser).len <= bytes_max);
		buf_put(&o->raw, sse_rest(&parser));
		must(slice_eq(buf_slice(&o->raw), slice_from(p->all, start.len)));
	}
	sse_free(&parser);
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

/* The data that reading must give: line ends are LF then. */
static void normalise(struct buf *b, struct slice data)
{
	for (size_t i = 0; i < data.len; i++) {
		if (data.at[i] == '\r' && i + 1 < data.len && data.at[i + 1] == '\n')
			continue;
		buf_put(b, data.at[i] == '\r' ? S("\n") : slice_sub(data, i, i + 1));
	}
}

static void must_come_back(struct slice data)
{
	struct buf written = BUF_INIT(16 * PIECES_INPUT_MAX), expected = BUF_INIT(PIECES_INPUT_MAX);
	struct sse parser;
	struct sse_event ev;
	struct slice in;

	sse_write(&written, S("error"), data);
	normalise(&expected, data);
	in = buf_slice(&written);
	sse_init(&parser, 16 * PIECES_INPUT_MAX);
	must(sse_feed(&parser, &in, &ev) == SSE_EVENT);
	must(in.len == 0);
	must(ev.has_data);
	must(slice_eq(ev.type, S("error")));
	must(slice_eq(ev.data, buf_slice(&expected)));
	sse_free(&parser);
	buf_free(&written);
	buf_free(&expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice plan, in;

	pieces_split(data, size, &plan, &in);
	must_be_same(plan, in, PIECES_INPUT_MAX);
	must_be_same(plan, in, 16);
	must_come_back(in);
	return 0;
}
