/* A backend's answer up to the connection's end: plan of cuts, newline, bytes.
 * Whole and in pieces, kept and not, the same head, the same body, the same
 * ending in the same words. */
#include "base/buf.h"
#include "conn/reader.h"
#include "tests/fuzz/pieces.h"

#include <stdio.h>

#define BODY_MAX 4096

struct outcome {
	enum reader_step last;
	int status;
	size_t extra;
	struct buf body;
	char text[256];
};

/* Until all given bytes are eaten or it is over. */
static void pull(struct reader *r, struct outcome *o, bool keep)
{
	struct h1_head head;
	struct slice data;

	for (;;) {
		o->last = reader_next(r, &head, &data);
		if (o->last == READER_HEAD)
			o->status = head.status;
		else if (o->last == READER_DATA)
			must(buf_append(&o->body, data));
		else
			return;
		must(o->last == READER_HEAD || data.len > 0);
		if (keep)
			reader_keep(r);
	}
}

static void read_all(struct pieces *p, bool to_head, bool keep, struct outcome *o)
{
	struct reader r;
	struct slice piece;

	*o = (struct outcome){ .last = READER_MORE, .body = BUF_INIT(BODY_MAX) };
	reader_init(&r, to_head, BODY_MAX);
	while (o->last == READER_MORE && pieces_next(p, &piece)) {
		reader_give(&r, pieces_copy(p, piece));
		pull(&r, o, keep);
	}
	if (o->last == READER_MORE)
		o->last = reader_close(&r, true, "closed");
	if (o->last == READER_END)
		o->extra = reader_extra(&r) + p->all.len - p->at;
	snprintf(o->text, sizeof o->text, "%s", r.text ? r.text : "");
	must(r.interims <= READER_INTERIMS_MAX + 1);
	reader_free(&r);
}

static void compare(struct slice plan, struct slice in, bool to_head, bool keep)
{
	struct pieces all = pieces_create(SLICE_NONE, in), some = pieces_create(plan, in);
	struct outcome whole, cut;

	read_all(&all, to_head, false, &whole);
	read_all(&some, to_head, keep, &cut);
	must(cut.last == whole.last);
	must(cut.status == whole.status);
	must(cut.extra == whole.extra);
	must(slice_eq(buf_slice(&cut.body), buf_slice(&whole.body)));
	must(strcmp(cut.text, whole.text) == 0);
	buf_free(&whole.body);
	buf_free(&cut.body);
	pieces_free(&all);
	pieces_free(&some);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice plan, in;

	pieces_split(data, size, &plan, &in);
	if (in.len > PIECES_INPUT_MAX)
		return 0;
	compare(plan, in, false, false);
	compare(plan, in, false, true);
	compare(plan, in, true, false);
	return 0;
}
