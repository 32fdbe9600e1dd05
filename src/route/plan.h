/* plan.h: which target next, and why.
 *
 * A plan belongs to one exchange. It knows all targets that may serve it (the
 * model's, then each fallback model's), what has been tried and how that
 * ended, and gives the next try by the fault table: another target of the same
 * model; then the same target again where the table allows; then the fallback
 * models in turn; at last a paced target whose pause fits the deadline. Time
 * and chance are arguments. */
#ifndef BACKSTAY_ROUTE_PLAN_H
#define BACKSTAY_ROUTE_PLAN_H

#include "base/arena.h"
#include "base/fault.h"
#include "base/mono.h"
#include "route/policy.h"

struct plan;

/* What one try asks for. */
struct pick {
	const struct target_policy *target;
	const struct model_policy *model;     /* the model it serves under: the asked one or a fallback */
	struct slice upstream_model;          /* the name to send */
	bool is_fallback;
	mono_ms at;                           /* not before this time; <= now: at once */
	size_t candidate;                     /* for plan_report() */
};

enum plan_answer {
	PLAN_GO,             /* *pick is to be tried; a place on its target has been taken if at <= now,
	                      * else the caller waits and asks plan_enter() */
	PLAN_SPENT,          /* nothing that could still help is left */
	PLAN_FULL,           /* something is left, but all of it is at its max_in_flight */
};

/* A plan for a request of `model` (asked for as `asked`, of which a pattern's
 * star stands for `star`). `deadline` is the exchange's. */
struct plan *plan_create(struct arena *arena, const struct model_policy *model, struct slice asked,
			 struct slice star, mono_ms deadline);
/* The next try. That there are at most max_attempts is the caller's care; but no
 * target is asked again while that would leave a fallback model without a try. */
enum plan_answer plan_next(struct plan *p, mono_ms now, uint64_t random, struct pick *pick);
/* After PLAN_FULL: the places that were full (see target_places()). */
uint64_t plan_full_places(const struct plan *p);
/* Takes the place for a pick that had to wait; false: the target has become full. */
bool plan_enter(struct plan *p, const struct pick *pick);
/* How a try ended, unless it ended well. `took_ms` is how long it took to fail,
 * `hint_ms` the upstream's wish when to come back (-1: none; then a jittered
 * pause is drawn from `random`), `never_again` that the upstream said not to
 * come back at all (x-should-retry: false). Gives the place back; so does
 * plan_done(). */
void plan_report(struct plan *p, const struct pick *pick, mono_ms now, uint64_t random,
		 enum fault fault, int64_t took_ms, int64_t hint_ms, bool never_again);
/* The try ended well or was cancelled. */
void plan_done(struct plan *p, const struct pick *pick);
/* Is anything left to move to, other than waiting for `current`? Silence is not
 * punished where nothing is. */
bool plan_has_other(struct plan *p, const struct pick *current);
/* The earliest time at which a target that asked for a pause would take a
 * request again; MONO_NEVER if none did. */
mono_ms plan_retry_at(const struct plan *p);

#endif
