/* json_out.h: writing JSON made of pieces of other JSON into a bounded buf. */
#ifndef BACKSTAY_DIALECT_JSON_OUT_H
#define BACKSTAY_DIALECT_JSON_OUT_H

#include "base/buf.h"
#include "base/slice.h"

/* Writes go to `buf` until one does not fit; then `failed`, and none follows. */
struct json_out {
	struct buf *buf;
	size_t len_before;           /* what the buf held at the start */
	bool failed;
};

/* A writer behind what `buf` holds; the buf is borrowed until the end. */
struct json_out json_out_start(struct buf *buf);
/* True if all fitted. Else the buf holds what it held at the start. */
bool json_out_finish(struct json_out *o);
/* Text as it is. */
void json_out_put(struct json_out *o, struct slice text);
#define json_out_puts(o, literal) json_out_put((o), S(literal))
/* A valid raw value on one line: line breaks between its tokens become spaces,
 * so that it can stand in a data: line. */
void json_out_raw(struct json_out *o, struct slice raw);
void json_out_u64(struct json_out *o, uint64_t n);

/* A member whose value is to be another; an empty value leaves the member out. */
struct json_replace { struct slice name, value; };
/* The members of a valid raw object, each with a comma behind it, replaced by
 * name. Those of `replace` that the object lacks are not added. */
void json_out_members(struct json_out *o, struct slice object, const struct json_replace *replace,
		      size_t count);

#endif
