/* translate.h: between a client and a backend that speak different languages.
 *
 * The client's request is read into the canonical form once; each foreign
 * attempt writes it for its target, reads what comes back as canonical events
 * and writes these for the client. A continuation in a dialect whose events
 * cannot be rewritten one by one goes the same way, with one codec on both
 * sides. Everything else of an attempt (states, limits, commit point, ledger,
 * seam) is the same for both kinds. */
#ifndef BACKSTAY_EXCHANGE_TRANSLATE_H
#define BACKSTAY_EXCHANGE_TRANSLATE_H

#include "dialect/codec.h"
#include "dialect/event_memo.h"
#include "dialect/vendor.h"
#include "exchange/exchange.h"

struct translation {
	const struct codec *up, *down;        /* what the backend speaks, what the client does */
	struct endpoint spoken;               /* the upstream's endpoint, for its dialect's judge */
	struct codec_reader reader;
	uint64_t answer;                      /* told from others of the thread by it */
	struct codec_writer writer;
	bool foreign;                         /* the backend's dialect is not the client's */
	bool as_it_is;                        /* the request passes as its bytes; only the answer is
					       * told anew */
	uint64_t unsaid, less;                /* features of the request that its target was not told, or by
					       * less than the client said */
};

/* Plan's question (struct plan_wants): can the target be asked this request at
 * all? The owner is the exchange. What stands in the way is kept for the error. */
bool translate_fits(void *owner, const struct target_policy *target);
/* Why no target fitted, as a sentence for the client; empty: that was not it. */
struct slice translate_why_not(struct exchange *x);

/* The attempt's translation for its pick and way, in a->translation; NULL if its
 * bytes pass as they are. False: it cannot be asked in that way. */
MUST_USE bool translate_begin(struct attempt *a);
/* Writes the request's body into a->asking->room. False: it cannot be said. */
MUST_USE bool translate_request(struct attempt *a);

/* Reads one event from upstream; the events it stands for lie in `scratch`, as
 * do the slices of *facts. */
struct canon_events translate_event(struct attempt *a, struct arena *scratch, struct slice type,
				    struct slice data, struct event_facts *facts);
/* The same for an event that is like the one that `memo` knows, at the front of *in,
 * which it is eaten from. False: it is not. */
MUST_USE bool translate_event_like(struct attempt *a, struct arena *scratch, const struct event_memo *memo,
				   struct slice *in, struct canon_events *events,
				   struct event_facts *facts);
/* The same for the end of the framing: FAULT_NONE if the answer is complete. */
enum fault translate_end(struct attempt *a, struct arena *scratch, struct canon_events *events,
			 struct event_facts *facts);
/* Reads a whole answer; the events lie in the exchange's arena. */
enum fault translate_answer(struct attempt *a, struct slice body, struct canon_events *events);

/* Appends what the client is to see of the events. False: larger than the buf. */
MUST_USE bool translate_tell(struct attempt *a, const struct canon_events *events, struct buf *out);
/* The same, but of texts only those that the seam found new, and no end that the
 * client has already. */
MUST_USE bool translate_retell(struct attempt *a, struct arena *scratch,
			       const struct canon_events *events, struct buf *out);
/* Appends a whole answer for the client. */
MUST_USE bool translate_whole(struct attempt *a, const struct canon_events *events, struct buf *out);

/* What identifies the answer, as in dialect's read_identity(); arena. */
void translate_identity(struct attempt *a, struct event_identity *out);
/* Frees what was read of the request. */
void translate_free(struct exchange *x);

#endif
