#include "resilience/limiter.h"

#include "base/check.h"

#include <stdbool.h>

#define FORGET_MS 60000
#define GROW_MS 1000
#define SLOW_FACTOR 3
#define SLOW_MIN_MS 250               /* a shorter delay is no queue */
#define HABIT_SHARE 16

static uint32_t floor_of(const struct limiter_policy *policy)
{
	must(policy->floor > 0);
	return policy->ceiling && policy->ceiling < policy->floor ? policy->ceiling : policy->floor;
}

uint32_t limiter_limit(const struct limiter *l, const struct limiter_policy *policy, mono_ms now)
{
	uint32_t ceiling = policy->ceiling ? policy->ceiling : LIMITER_NONE;

	if (!l->limit || now - l->cut_at >= FORGET_MS)
		return ceiling;
	if (l->limit < floor_of(policy))
		return floor_of(policy);
	return l->limit < ceiling ? l->limit : ceiling;
}

static void cut(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		mono_ms started_at, uint32_t in_flight, uint32_t keep_eighths)
{
	uint32_t limit;

	/* What was asked before the last cut took effect tells nothing new. */
	if (l->limit && started_at < l->settled_at && now - l->cut_at < FORGET_MS)
		return;
	limit = limiter_limit(l, policy, now);
	if (in_flight < limit)
		limit = in_flight;
	limit = (uint32_t)((uint64_t)limit * keep_eighths / 8);
	l->limit = limit < floor_of(policy) ? floor_of(policy) : limit;
	l->cut_at = l->settled_at = l->grown_at = now;
}

void limiter_overload(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		      mono_ms started_at, uint32_t in_flight)
{
	cut(l, policy, now, started_at, in_flight, 6);
}

/* True where a batch is full and all of it was slow. */
static bool batch_is_slow(struct limiter *l, int64_t first_token_ms)
{
	int64_t fastest;
	bool slow;

	if (!l->batch || first_token_ms < l->batch_min_ms)
		l->batch_min_ms = first_token_ms;
	if (++l->batch < LIMITER_BATCH)
		return false;
	l->batch = 0;
	fastest = l->batch_min_ms;
	slow = l->habit_ms && fastest > l->habit_ms * SLOW_FACTOR &&
	       fastest - l->habit_ms > SLOW_MIN_MS;
	if (!l->habit_ms || fastest < l->habit_ms)
		l->habit_ms = fastest ? fastest : 1;
	else
		l->habit_ms += (fastest - l->habit_ms) / HABIT_SHARE;
	return slow;
}

static void grow(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		 mono_ms started_at, uint32_t in_flight)
{
	int64_t pace = l->habit_ms > GROW_MS ? l->habit_ms : GROW_MS;

	if (!l->limit || started_at < l->settled_at || now - l->grown_at < pace ||
	    (uint64_t)in_flight * 2 < l->limit)
		return;
	l->grown_at = now;
	l->limit += l->limit / 8 ? l->limit / 8 : 1;
	if (policy->ceiling && l->limit >= policy->ceiling)
		l->limit = 0;
}

void limiter_good(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		  mono_ms started_at, uint32_t in_flight, int64_t first_token_ms)
{
	if (l->limit && now - l->cut_at >= FORGET_MS)
		l->limit = 0;
	if (first_token_ms >= 0 && started_at >= l->settled_at && batch_is_slow(l, first_token_ms))
		cut(l, policy, now, started_at, in_flight, 7);
	else
		grow(l, policy, now, started_at, in_flight);
}
