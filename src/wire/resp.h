/* resp.h: RESP2 and RESP3, the protocol of Redis and Valkey
 * (https://redis.io/docs/latest/develop/reference/protocol-spec/): replies are
 * read from bytes cut anywhere, commands are written. Sans-I/O; depth, count and
 * size are bounded. Streamed replies ("$?"), which servers do not send, are not
 * understood. */
#ifndef BACKSTAY_WIRE_RESP_H
#define BACKSTAY_WIRE_RESP_H

#include "base/arena.h"
#include "base/buf.h"

#define RESP_DEPTH_MAX 8
#define RESP_VALUES_MAX 200000        /* in one reply */

enum resp_type {
	RESP_NULL,
	RESP_TEXT,                    /* simple, bulk and verbatim strings, big numbers, doubles */
	RESP_ERROR,
	RESP_INTEGER,
	RESP_BOOL,                    /* integer is 0 or 1 */
	RESP_LIST,                    /* arrays, sets */
	RESP_MAP,                     /* count pairs: 2 * count items */
	RESP_PUSH,                    /* a list that answers no command */
};

struct resp_value {
	enum resp_type type;
	struct slice text;            /* TEXT, ERROR */
	int64_t integer;              /* INTEGER, BOOL */
	struct resp_value *items;
	size_t count;                 /* of LIST, PUSH; pairs of MAP */
};

struct resp {
	struct buf pending;
	size_t need;                  /* fewer bytes than that are no whole reply */
	size_t used;                  /* of pending: the reply handed out last */
};

enum resp_step { RESP_MORE, RESP_VALUE, RESP_BROKEN };

/* A reader of replies up to `bytes_max` each. */
void resp_init(struct resp *p, size_t bytes_max);
/* Frees what it holds; it may be initialised again. */
void resp_free(struct resp *p);
/* Eats all of *in. RESP_VALUE: *out is a reply, with its parts in `arena` and its
 * texts in the reader; it is valid until the next call, which may be made with
 * an empty *in until it says RESP_MORE. RESP_BROKEN: this is no RESP, or beyond
 * the bounds; the reader must not be fed again. */
enum resp_step resp_feed(struct resp *p, struct slice *in, struct arena *arena, struct resp_value *out);

/* Appends a command. False where the buf's maximum would be passed. */
MUST_USE bool resp_write(struct buf *out, const struct slice *words, size_t count);

/* The value behind `name` in a MAP, or in a LIST of pairs as RESP2 has it; NULL. */
const struct resp_value *resp_get(const struct resp_value *v, struct slice name);

#endif
