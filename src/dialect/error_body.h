/* error_body.h: an error as backends write it, in any shape the field knows. */
#ifndef BACKSTAY_DIALECT_ERROR_BODY_H
#define BACKSTAY_DIALECT_ERROR_BODY_H

#include "base/arena.h"
#include "base/slice.h"

/* Slices are decoded; they point into the body or the arena. */
struct error_body {
	bool found;                  /* there is an error in the document */
	struct slice message;        /* a sentence; may be empty */
	/* Empty with at != NULL where the error has none. A numeric code is its text. */
	struct slice type, code, param;
	int status;                  /* a status it names itself, 400..599; 0: none */
	struct slice details;        /* more words for recognising it (a provider's own text) */
	struct slice raw;            /* the error object as it stood; SLICE_NONE if it is none */
};

/* Reads a whole body. Anything that is not valid JSON has no error in it. */
void error_body_read(struct arena *arena, struct slice body, struct error_body *out);
/* Reads the value of an "error" member: an object or a string (raw, valid). */
void error_body_read_value(struct arena *arena, struct slice raw, struct error_body *out);
/* Does a raw value of an "error" member tell of an error? null, false, "" and
 * {} do not. SLICE_NONE does not. */
bool error_body_is_error(struct slice raw);

#endif
