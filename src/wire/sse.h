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
	bool has_data;                /* at least one data: line. Without: comments or lone fields */
	bool has_comment;             /* at least one comment line */
};

enum sse_step { SSE_MORE, SSE_EVENT, SSE_TOO_LONG };

struct sse {
	struct buf pending;           /* a block that is not complete yet */
	struct buf joined;            /* data of an event with several data: lines */
	size_t event_bytes_max;
	size_t scanned;               /* of pending: already searched for its end */
	bool started;                 /* the BOM question is settled */
	bool skip_lf;                 /* the last block ended in CR: an LF may still belong to it */
	size_t eaten_from_pending;    /* of the block handed out last */
};

/* Blocks over `event_bytes_max` bytes are SSE_TOO_LONG. No memory is taken
 * before a block arrives in pieces. */
void sse_init(struct sse *p, size_t event_bytes_max);
void sse_free(struct sse *p);
/* Eats from the front of *in. SSE_EVENT: *ev is valid until the next call (it
 * points into the input or the parser). SSE_MORE: all of *in was eaten. A CR LF
 * pair cut behind its CR: the block is handed out at once (its raw bytes lack
 * the LF) and the LF is swallowed when it comes. After SSE_TOO_LONG the parser
 * must not be fed again. */
enum sse_step sse_feed(struct sse *p, struct slice *in, struct sse_event *ev);
/* What was left without a blank line when the stream ended (by the standard it
 * is dropped; some servers put a raw JSON error there). Empty if nothing. */
struct slice sse_rest(const struct sse *p);

/* Writes one event: optional type, data split at LF into data: lines. */
void sse_write(struct buf *b, struct slice type, struct slice data);

#endif
