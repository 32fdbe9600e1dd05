/* Chunked bodies: plan of cuts, newline, body. Whole and in pieces, the same
 * data, the same end; and data put into chunks comes out as it was. */
#include "base/buf.h"
#include "tests/fuzz/pieces.h"
#include "wire/chunked.h"

struct outcome {
	enum chunked_step last;
	struct buf data;
	size_t left;                  /* behind the end of the body */
};

static void feed(struct pieces *p, struct outcome *o)
{
	struct chunked c = { 0 };
	struct slice piece;

	o->data = BUF_INIT(PIECES_INPUT_MAX);
	o->last = CHUNKED_MORE;
	o->left = 0;
	while (o->last == CHUNKED_MORE && pieces_next(p, &piece)) {
		struct slice in = pieces_copy(p, piece), data;
		const char *end = in.at + in.len;

		while ((o->last = chunked_feed(&c, &in, &data)) == CHUNKED_DATA) {
			must(data.len > 0);
			must(data.at + data.len <= end);
			must(buf_append(&o->data, data));
		}
		must(o->last != CHUNKED_MORE || in.len == 0);
		if (o->last == CHUNKED_END)
			o->left = in.len + p->all.len - p->at;
	}
}

/* Chunks of the lengths that the plan names. */
static void must_come_back(struct slice plan, struct slice data)
{
	struct pieces cuts = pieces_create(plan, data);
	struct buf body = BUF_INIT(64 * PIECES_INPUT_MAX);
	struct outcome o;
	struct pieces whole;
	struct slice piece;

	while (pieces_next(&cuts, &piece)) {
		char head[CHUNK_HEAD_MAX];

		if (piece.len == 0)
			continue;
		buf_put(&body, (struct slice){ head, chunk_head(piece.len, head) });
		buf_put(&body, piece);
		buf_puts(&body, "\r\n");
	}
	buf_puts(&body, CHUNKED_LAST);
	whole = pieces_create(SLICE_NONE, buf_slice(&body));
	feed(&whole, &o);
	must(o.last == CHUNKED_END);
	must(o.left == 0);
	must(slice_eq(buf_slice(&o.data), data));
	buf_free(&o.data);
	buf_free(&body);
	pieces_free(&cuts);
	pieces_free(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice plan, in;
	struct pieces all, some;
	struct outcome whole, cut;

	pieces_split(data, size, &plan, &in);
	all = pieces_create(SLICE_NONE, in);
	some = pieces_create(plan, in);
	feed(&all, &whole);
	feed(&some, &cut);
	must(cut.last == whole.last);
	must(cut.left == whole.left);
	must(slice_eq(buf_slice(&cut.data), buf_slice(&whole.data)));
	must_come_back(plan, in);
	buf_free(&whole.data);
	buf_free(&cut.data);
	pieces_free(&all);
	pieces_free(&some);
	return 0;
}
