#include "resilience/limiter.h"

#include "base/check.h"

#include <stdbool.h>

#define FORGET_MS 60000
#define GROW_MS 1000
#define SLOW_FACTOR 3
#define SLOW_MIN_MS 250               /* a shorter delay is no queue */
#define HABIT_SHARE 64                /* a slower batch moves the habit by a 64th of the difference */

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

/* How long one waits to see what a limit, or one beyond it, has brought. */
static int64_t pace_ms(const struct limiter *l)
{
	return l->habit_ms > GROW_MS ? l->habit_ms : GROW_MS;
}

bool limiter_admit(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		   uint32_t in_flight)
{
	mono_ms last = l->tried_at > l->settled_at ? l->tried_at : l->settled_at;

	if (in_flight < limiter_limit(l, policy, now))
		return true;
	if ((policy->ceiling && in_flight >= policy->ceiling) || now - last < pace_ms(l))
		return false;
	l->tried_at = now;
	return true;
}

void limiter_forget(struct limiter *l)
{
	*l = (struct limiter){ .habit_ms = l->habit_ms };
}

/* What was asked before the last cut took effect tells nothing new. */
static bool is_old_news(const struct limiter *l, mono_ms now, mono_ms started_at)
{
	return l->limit && started_at < l->settled_at && now - l->cut_at < FORGET_MS;
}

/* To `keep` 64ths of what was running. While more are running than may, there is
 * no news of the limit, only of being beyond it. */
static void cut(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		uint32_t in_flight, uint32_t keep)
{
	uint32_t limit = limiter_limit(l, policy, now);

	if (in_flight <= limit)
		limit = (uint32_t)((uint64_t)in_flight * keep / 64);
	l->limit = limit < floor_of(policy) ? floor_of(policy) : limit;
	l->cut_at = l->settled_at = l->grown_at = now;
	l->batch = 0;
}

void limiter_overload(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		      mono_ms started_at, uint32_t in_flight)
{
	if (is_old_news(l, now, started_at))
		return;
	cut(l, policy, now, in_flight, 48);
}

static bool is_slow(const struct limiter *l, int64_t first_token_ms)
{
	return l->habit_ms && first_token_ms > l->habit_ms * SLOW_FACTOR &&
	       first_token_ms - l->habit_ms > SLOW_MIN_MS;
}

/* The batch is full: what it says of the habit, and whether it is far from it. */
static bool judge_batch(struct limiter *l, const struct limiter_policy *policy, uint32_t in_flight)
{
	int64_t fastest = l->batch_min_ms;
	bool slow = is_slow(l, fastest);

	l->batch = 0;
	if (!slow)
		l->cut_from = 0;
	if (slow && l->cut_from && !l->batch_is_bound && fastest > l->cut_ms - l->cut_ms / 5 &&
	    (in_flight <= l->cut_from / 4 || l->limit <= floor_of(policy))) {
		l->habit_ms = fastest;        /* fewer at once did not help */
		l->cut_from = 0;
		return false;
	}
	if (l->batch_is_bound && !slow)
		return false;
	if (!l->habit_ms || fastest < l->habit_ms)
		l->habit_ms = fastest ? fastest : 1;
	else if (!l->limit || in_flight < l->limit / 2)
		l->habit_ms += (fastest - l->habit_ms) / HABIT_SHARE;
	/* Else: what a target does under as much as it may have is no habit. */
	return slow;
}

static void sample(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		   uint32_t in_flight, int64_t ms, bool is_bound)
{
	int64_t keep;

	if (!l->batch || ms < l->batch_min_ms) {
		l->batch_min_ms = ms;
		l->batch_is_bound = is_bound;
	}
	if (++l->batch < LIMITER_BATCH || !judge_batch(l, policy, in_flight))
		return;
	keep = 64 * 2 * l->habit_ms / l->batch_min_ms;
	if (!l->cut_from) {
		l->cut_ms = l->batch_min_ms;
		l->cut_from = in_flight;
	}
	cut(l, policy, now, in_flight, (uint32_t)(keep < 16 ? 16 : keep > 56 ? 56 : keep));
}

void limiter_silent(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		    mono_ms started_at, uint32_t in_flight)
{
	int64_t ms = now - started_at;

	/* Who leaves early says nothing of the target. */
	if (!is_old_news(l, now, started_at) && l->habit_ms && ms > l->habit_ms * SLOW_FACTOR)
		sample(l, policy, now, in_flight, ms, true);
}

static void grow(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		 mono_ms started_at, uint32_t in_flight)
{
	if (!l->limit || started_at < l->settled_at || now - l->grown_at < pace_ms(l) ||
	    in_flight > l->limit || (uint64_t)in_flight * 2 < l->limit)
		return;
	l->grown_at = now;
	l->limit += l->limit / 8 ? l->limit / 8 : 1;
	if (policy->ceiling && l->limit >= policy->ceiling)
		l->limit = 0;
}

/* Beyond the limit, and as quick as by habit: so many are not too many. */
static void follow(struct limiter *l, uint32_t in_flight, int64_t first_token_ms)
{
	if (l->limit && in_flight > l->limit && l->habit_ms && !is_slow(l, first_token_ms))
		l->limit = in_flight;
}

void limiter_good(struct limiter *l, const struct limiter_policy *policy, mono_ms now,
		  mono_ms started_at, uint32_t in_flight, int64_t first_token_ms)
{
	if (l->limit && now - l->cut_at >= FORGET_MS)
		l->limit = 0;
	if (is_old_news(l, now, started_at))
		return;
	if (first_token_ms >= 0) {
		sample(l, policy, now, in_flight, first_token_ms, false);
		follow(l, in_flight, first_token_ms);
	}
	grow(l, policy, now, started_at, in_flight);
}
