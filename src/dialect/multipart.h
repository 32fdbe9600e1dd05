/* multipart.h: finding plain text fields in a multipart/form-data body
 * (RFC 7578, RFC 2046 5.1), strictly and without copying. */
#ifndef BACKSTAY_DIALECT_MULTIPART_H
#define BACKSTAY_DIALECT_MULTIPART_H

#include "base/slice.h"

#define MULTIPART_PARTS_MAX 256
#define MULTIPART_HEADERS_MAX 16
#define MULTIPART_HEAD_BYTES_MAX (8 * 1024)

/* A text field that the caller wants: set name, the rest is filled in. */
struct multipart_want {
	struct slice name;
	bool found;
	struct slice value;           /* as it stands in the body */
};

/* The boundary of a Content-Type value; false if it is not multipart/form-data
 * or the boundary is missing or malformed (RFC 2046: 1 to 70 of its characters). */
bool multipart_boundary(struct slice content_type, struct slice *boundary);
/* Walks all parts and fills in `wants`; parts with a file name are no text
 * fields. NULL: the body is well-formed; else a static sentence that says what
 * is wrong, also where a wanted field appears twice. */
const char *multipart_find(struct slice body, struct slice boundary, struct multipart_want *wants,
			   size_t count);

#endif
