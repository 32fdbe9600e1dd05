/* sse.h: server-sent events (WHATWG HTML, section 9.2), as a splitter that
 * hands on each block both parsed and as the raw bytes it came in, so that a
 * relay can pass it unchanged. Lines may end in LF, CR LF or CR; a BOM at the
 * start is skipped; input may be cut anywhere. */
#ifndef BACKSTAY_WIRE_SSE_H
#define BACKSTAY_WIRE_SSE_H

#include "base/buf.h"
#include "base/slice.h"

struct sse_event {
	struct slice raw;             /* the whole block, the blank line that ends it included */
	struct slice type;            /* `event:` value; empty: the default, "message" */
	struct slice data;            /* `data:` lines joined with LF */
	struct slice id;
	struct slice stray;           /* from the '{' on the last line that has one but is no known field: JSON
				       * that lacks its data: (an error, or what a damaged line has left) */
	bool has_data;                /* at least one data: line. Without: comments or lone fields */
	bool has_comment;             /* at least one comment line */
};

enum sse_step { SSE_MORE, SSE_EVENT, SSE_TOO_LONG };

struct sse {
	struct buf pending;           /* a block that is not complete yet, or was handed out last */
	struct buf joined;            /* data of an event with several data: lines */
	size_t event_bytes_max;
	bool started;                 /* the BOM question is settled */
	bool skip_lf;                 /* the last block ended in CR: an LF may still belong to it */
	bool handed_out;              /* pending holds the block of the last SSE_EVENT */
};

/* Blocks over `event_bytes_max` (at least 4) bytes are SSE_TOO_LONG, as are
 * those for which there is no memory; an LF behind the CR that ends a block is
 * not counted. No memory is taken before a block arrives in pieces, and none
 * is kept between blocks. */
void sse_init(struct sse *p, size_t event_bytes_max);
/* Frees what the parser holds; it may be initialised again. */
void sse_free(struct sse *p);
/* Eats from the front of *in. SSE_EVENT: *ev is valid until the next call (it
 * points into the input or the parser). SSE_MORE: all of *in was eaten. A CR LF
 * pair cut behind its CR: the block is handed out at once (its raw bytes lack
 * the LF) and the LF is swallowed when it comes. After SSE_TOO_LONG the parser
 * must not be fed again. A blank line too many is a block of its own, with
 * nothing in it but `raw`: raw bytes handed on one after another are the stream. */
enum sse_step sse_feed(struct sse *p, struct slice *in, struct sse_event *ev);
/* True where what is fed next begins a block. Whole blocks may then be taken past
 * the parser; they must not end in a CR. */
static inline bool sse_at_block(const struct sse *p)
{
	return p->started && !p->skip_lf && (p->handed_out || buf_len(&p->pending) == 0);
}
/* What was left without a blank line when the stream ended (by the standard it
 * is dropped; some servers put a raw JSON error there). Empty if nothing. */
struct slice sse_rest(const struct sse *p);

/* Writes one event: optional type, data split at LF, CR LF or CR into data:
 * lines. Appends or aborts: for data of bounded size. A type with a line end in
 * it is a mistake of ours: must() fails. */
void sse_write(struct buf *b, struct slice type, struct slice data);
/* The same; false, with nothing appended, where the buf's maximum would be
 * passed or there is no memory. */
MUST_USE bool sse_try_write(struct buf *b, struct slice type, struct slice data);

#endif
