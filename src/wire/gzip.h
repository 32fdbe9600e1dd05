/* gzip.h: decoding gzip, zlib and deflate bodies (RFC 1952, RFC 9110 8.4.1)
 * that an upstream sent although it was asked not to. Output is bounded. */
#ifndef BACKSTAY_WIRE_GZIP_H
#define BACKSTAY_WIRE_GZIP_H

#include "base/buf.h"
#include "base/slice.h"

struct gzip;

enum gzip_step {
	GZIP_MORE,            /* all input eaten, the stream goes on: a body that ends here is cut */
	GZIP_DATA,            /* *out holds decoded bytes, valid until the next call */
	GZIP_END,             /* all input eaten, and a stream with a right checksum ends here. More
			       * input may follow: a further gzip member (RFC 1952 2.2) */
	GZIP_BAD,             /* corrupt, or more than `output_max` bytes came out */
};

/* gzip, zlib or raw deflate (which some servers call "deflate") is told by the
 * first two bytes. NULL if there is no memory. The caller ends it with gzip_free(). */
struct gzip *gzip_create(uint64_t output_max);
void gzip_free(struct gzip *g);          /* NULL is fine */
/* Eats from the front of *in; call until it is neither GZIP_DATA nor GZIP_BAD.
 * Up to `output_max` bytes are handed out before GZIP_BAD says that there were
 * more. After GZIP_BAD it says so again. */
enum gzip_step gzip_feed(struct gzip *g, struct slice *in, struct slice *out);
/* "gzip", "x-gzip", "deflate": can be decoded here. */
bool gzip_understands(struct slice content_encoding);

#endif
