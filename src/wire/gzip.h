/* gzip.h: decoding gzip, zlib and deflate bodies (RFC 1952, RFC 9110 8.4.1)
 * that an upstream sent although it was asked not to. Output is bounded. */
#ifndef BACKSTAY_WIRE_GZIP_H
#define BACKSTAY_WIRE_GZIP_H

#include "base/buf.h"
#include "base/slice.h"

struct gzip;

enum gzip_step {
	GZIP_MORE,            /* all input eaten */
	GZIP_DATA,            /* *out holds decoded bytes, valid until the next call */
	GZIP_END,             /* the stream ended with a right checksum */
	GZIP_BAD,             /* corrupt, or more than `output_max` bytes came out */
};

/* NULL if there is no memory. The caller ends it with gzip_free(). */
struct gzip *gzip_create(uint64_t output_max);
void gzip_free(struct gzip *g);          /* NULL is fine */
/* Eats from the front of *in. */
enum gzip_step gzip_feed(struct gzip *g, struct slice *in, struct slice *out);
/* "gzip", "x-gzip", "deflate": can be decoded here. */
bool gzip_understands(struct slice content_encoding);

#endif
