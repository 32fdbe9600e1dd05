/* limiter.h: how many requests a target stands at once, learnt from how it
 * answers. Pure.
 *
 * There is no limit until the target shows that there is one:
 *  - it says so (overloaded), or falls silent: the limit becomes three quarters
 *    of what was running, once for all that were running together;
 *  - it gets slow: the fastest first token of LIMITER_BATCH answers in a row took
 *    three times as long as it does by habit. The fastest, since prompts differ
 *    and one long one proves nothing, while a queue makes every answer late.
 *    Clients that leave before the first token count with the time they waited.
 *    The limit becomes what would halve the delay at least if it were a queue's,
 *    a quarter of what was running at the least. Where a quarter of the requests,
 *    or the floor, are as slow as all were, it was no queue: that is the new habit.
 * While half of the limit is used and answers are good it grows by an eighth in
 * each second (or time to first token, where that is longer). After a minute
 * without a reason for it there is none again.
 *
 * What was running when the limit was cut may run for long: streams that are far
 * beyond their first token. While they hold more places than there are, one
 * request a second (or time to first token) goes beyond the limit, since nobody
 * else could show that it is wrong: if its first token is quick, the limit is
 * what runs, and grows from there. If not, the limit stays as it was. */
#ifndef BACKSTAY_RESILIENCE_LIMITER_H
#define BACKSTAY_RESILIENCE_LIMITER_H

#include "base/mono.h"

#include <stdbool.h>

#define LIMITER_BATCH 16
#define LIMITER_NONE UINT32_MAX

struct limiter_policy {
	uint32_t floor;               /* the limit is never below it; 1 .. */
	uint32_t ceiling;             /* nor above it; 0: none */
};

/* Zeroed: no limit. */
struct limiter {
	uint32_t limit;               /* 0: none */
	uint32_t batch;               /* answers in the batch so far */
	int64_t batch_min_ms, habit_ms;       /* 0: nothing known */
	bool batch_is_bound;          /* its fastest is only a lower bound */
	int64_t cut_ms;               /* the fastest when it got slow, and ... */
	uint32_t cut_from;            /* ... how many were running; 0: it is not slow */
	mono_ms cut_at, settled_at;   /* the last cut; what began before settled_at tells of older times */
	mono_ms grown_at;
	mono_ms tried_at;             /* when the last one went beyond the limit */
};

/* How many may run at `now`: floor .. ceiling, LIMITER_NONE without either. */
uint32_t limiter_limit(const struct limiter *l, const struct limiter_policy *policy, mono_ms now);
/* May one more begin, where so many are running? To be asked by who then begins:
 * a yes beyond the limit is not given twice. */
bool limiter_admit(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		   uint32_t in_flight);
/* Back from an outage: what was learnt in it is forgotten, but not the habit. */
void limiter_forget(struct limiter *l);
/* An answer was good. `in_flight`: how many were running, this one included.
 * `first_token_ms`: how long the first token took, -1 if unknown. `started_at`:
 * when it was asked. */
void limiter_good(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		  mono_ms started_at, uint32_t in_flight, int64_t first_token_ms);
/* Somebody stopped waiting for the first token of what was asked at
 * `started_at`; likewise. */
void limiter_silent(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		    mono_ms started_at, uint32_t in_flight);
/* The target was overloaded or silent; likewise. */
void limiter_overload(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		      mono_ms started_at, uint32_t in_flight);

#endif
