/* request_table.h: a request's plain members, as rows: where each goes in the
 * canonical form and which feature it is. What is no plain member has a
 * function. A member that no row names is unknown, and noted as such. */
#ifndef BACKSTAY_DIALECT_REQUEST_TABLE_H
#define BACKSTAY_DIALECT_REQUEST_TABLE_H

#include "dialect/canon.h"
#include "wire/json.h"

/* What a reader of a request carries along. */
struct request_reading {
	struct arena *arena;
	struct canon_request *out;
	struct slice *why;           /* the sentence of a refusal */
	bool refused;
	void *own;                   /* the codec's */
};

enum request_take {
	TAKE_NOTHING,                /* known, and of no meaning here (model, stream: read elsewhere) */
	TAKE_NUMBER,                 /* a number, kept as its text */
	TAKE_INTEGER,                /* int64_t */
	TAKE_RAW,                    /* any value, kept raw */
	TAKE_STRING,                 /* a string, kept raw */
	TAKE_WORD,                   /* a string, decoded */
	TAKE_SWITCH,                 /* true or false, as 1 or 0 in an int */
	TAKE_BY,                     /* a function */
};

struct request_member {
	struct slice name;
	enum request_take take;
	size_t offset;               /* in struct canon_request, by `take` */
	uint64_t feature;            /* set where the member is given (CANON_HAS()); 0: none */
	void (*by)(struct request_reading *r, const struct json *value);
};

/* Reads all members of `object` by the rows; null is as if absent. A member of
 * another type than its row's is a refusal. */
void request_members(struct request_reading *r, const struct json *object,
		     const struct request_member *rows, size_t count);
/* Refuses the request: the first sentence stays. Gives nothing to be checked:
 * reading goes on and r->refused is asked at the end. */
void request_refuse(struct request_reading *r, const char *format, ...) PRINTF_LIKE(2, 3);
/* Notes a member that nobody knows; `name` is raw. */
void request_unknown(struct request_reading *r, struct slice name);

#endif
