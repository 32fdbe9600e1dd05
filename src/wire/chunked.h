/* chunked.h: the chunked transfer coding (RFC 9112 7.1), both directions.
 * Strict: sizes are 1 to 16 hex digits, lines end in CR LF, extensions are
 * skipped up to a bound, trailers are read and ignored up to a bound. */
#ifndef BACKSTAY_WIRE_CHUNKED_H
#define BACKSTAY_WIRE_CHUNKED_H

#include "base/slice.h"

struct buf;

struct chunked {
	uint64_t left;                /* bytes of the current chunk still to come */
	uint32_t state;
	uint32_t line_bytes;          /* of the current size line or trailer section */
	uint64_t overhead;            /* framing bytes not yet earned back by data: a flood of extensions ends it */
};

enum chunked_step {
	CHUNKED_MORE,                 /* all of *in was eaten, the body goes on */
	CHUNKED_DATA,                 /* *data is the next piece (points into the input) */
	CHUNKED_END,                  /* the body ended; *in starts behind it */
	CHUNKED_BAD,                  /* framing error: nothing more can be trusted */
};

/* Zero it before the first use. Eats from the front of *in. A size above
 * INT64_MAX, a line over 4 KiB, trailers over 16 KiB or extensions that
 * outweigh the data by 16 KiB are CHUNKED_BAD. After END and BAD it says so
 * again and eats nothing. */
enum chunked_step chunked_feed(struct chunked *c, struct slice *in, struct slice *data);

#define CHUNK_HEAD_MAX 18
/* Writes the size line of a chunk of `len` > 0 bytes; gives its length. The
 * data and then CR LF follow it. */
size_t chunk_head(size_t len, char out[static CHUNK_HEAD_MAX]);
#define CHUNKED_LAST "0\r\n\r\n"

#endif
