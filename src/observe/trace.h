/* trace.h: which trace an exchange belongs to (W3C Trace Context, level 1), and
 * whether its spans are kept. Pure. */
#ifndef BACKSTAY_OBSERVE_TRACE_H
#define BACKSTAY_OBSERVE_TRACE_H

#include "base/slice.h"

#define TRACE_ID_BYTES 16
#define SPAN_ID_BYTES 8
#define TRACE_PARENT_MAX 56           /* of a traceparent header, with its NUL */

struct trace_context {
	uint8_t trace_id[TRACE_ID_BYTES];
	uint8_t parent_id[SPAN_ID_BYTES];     /* the client's span; zeroes: it said none */
	uint8_t span_id[SPAN_ID_BYTES];       /* of the exchange */
	bool sampled;                         /* kept whatever happens; else only where something did */
};

/* Begins the exchange's part of a trace: the one that `traceparent` names, or a
 * new one where that is empty or malformed. The client's decision to sample holds;
 * otherwise `share_milli` thousandths of a percent are. `random` are three times
 * 64 random bits. */
void trace_begin(struct trace_context *t, struct slice traceparent, int64_t share_milli,
		 const uint64_t random[3]);
/* Is it a traceparent that we can go on from? */
bool trace_parent_is_good(struct slice traceparent);
/* The id of an exchange's attempt (0 is the first): the same whenever it is asked
 * for, never zeroes. */
void trace_attempt_id(const struct trace_context *t, unsigned attempt, uint8_t out[SPAN_ID_BYTES]);
/* The traceparent header's value for what the attempt asks; gives `out`. */
const char *trace_write_parent(const struct trace_context *t, unsigned attempt,
			       char out[TRACE_PARENT_MAX]);

#endif
