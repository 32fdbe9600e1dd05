/* Compressed bodies: plan of cuts, newline, body. Whole and in pieces, the same
 * data and the same end, and never more than the cap. */
#include "base/buf.h"
#include "tests/fuzz/pieces.h"
#include "wire/gzip.h"

struct outcome {
	enum gzip_step last;
	struct buf data;
};

static void feed(struct pieces *p, uint64_t output_max, struct outcome *o)
{
	struct gzip *g = gzip_create(output_max);
	struct slice piece;

	must(g != NULL);
	o->data = BUF_INIT(output_max + 1);
	o->last = GZIP_MORE;
	while (o->last != GZIP_BAD && pieces_next(p, &piece)) {
		struct slice in = pieces_copy(p, piece), out;

		while ((o->last = gzip_feed(g, &in, &out)) == GZIP_DATA) {
			must(out.len > 0);
			must(buf_append(&o->data, out));
		}
		must(o->last == GZIP_BAD || in.len == 0);
	}
	must(buf_len(&o->data) <= output_max);
	gzip_free(g);
}

static void must_be_same(struct slice plan, struct slice in, uint64_t output_max)
{
	struct pieces all = pieces_create(SLICE_NONE, in), some = pieces_create(plan, in);
	struct outcome whole, cut;

	feed(&all, output_max, &whole);
	feed(&some, output_max, &cut);
	must(cut.last == whole.last);
	must(slice_eq(buf_slice(&cut.data), buf_slice(&whole.data)));
	buf_free(&whole.data);
	buf_free(&cut.data);
	pieces_free(&all);
	pieces_free(&some);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice plan, in;

	pieces_split(data, size, &plan, &in);
	must_be_same(plan, in, 256 * 1024);
	must_be_same(plan, in, 16);
	gzip_understands(in);
	return 0;
}
