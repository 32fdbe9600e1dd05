#include "resilience/breaker.h"

#include "base/check.h"

/* The share that goes at the beginning of a ramp. */
#define RAMP_FLOOR_PERMILLE 100

static const char *const state_names[] = {
	[BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open",
	[BREAKER_HALF_OPEN] = "half-open", [BREAKER_RAMPING] = "ramping",
};

const char *breaker_state_name(enum breaker_state s)
{
	return state_names[s];
}

/* ---- moves ------------------------------------------------------------------- */

static void move(struct breaker *b, enum breaker_state to, mono_ms now, mono_ms until)
{
	b->state = to;
	b->since = now;
	b->until = until;
}

/* Doubles with each opening; +-20 %, so that many breakers do not beat in step. */
static int64_t open_for_ms(const struct breaker *b, const struct breaker_policy *policy,
			   uint64_t random)
{
	int64_t ms = policy->open_ms;

	for (unsigned i = 0; i < b->openings && ms < policy->open_max_ms; i++)
		ms = ms > policy->open_max_ms / 2 ? policy->open_max_ms : ms * 2;
	ms = ms - ms / 5 + (int64_t)(random % ((uint64_t)(ms / 5 * 2) + 1));
	return ms < policy->open_max_ms ? ms : policy->open_max_ms;
}

static void open_up(struct breaker *b, const struct breaker_policy *policy, mono_ms now,
		    uint64_t random)
{
	must(policy->open_ms > 0);
	move(b, BREAKER_OPEN, now, mono_after(now, open_for_ms(b, policy, random)));
	b->openings++;
	b->opened_total++;
	b->epoch++;
	b->running = 0;
	b->in_row = 0;
	window_clear(&b->window);
}

static void close_down(struct breaker *b, mono_ms now)
{
	move(b, BREAKER_CLOSED, now, 0);
	b->openings = 0;
	b->in_row = 0;
}

static void ramp_up(struct breaker *b, const struct breaker_policy *policy, mono_ms now)
{
	if (policy->ramp_ms > 0)
		move(b, BREAKER_RAMPING, now, mono_after(now, policy->ramp_ms));
	else
		close_down(b, now);
}

/* What time alone has changed. */
static void settle(struct breaker *b, mono_ms now)
{
	if (b->state == BREAKER_OPEN && now >= b->until)
		move(b, BREAKER_HALF_OPEN, b->until, 0);
	else if (b->state == BREAKER_RAMPING && now >= b->until)
		close_down(b, b->until);
}

enum breaker_state breaker_state_at(const struct breaker *b, mono_ms now)
{
	if (b->state == BREAKER_OPEN && now >= b->until)
		return BREAKER_HALF_OPEN;
	if (b->state == BREAKER_RAMPING && now >= b->until)
		return BREAKER_CLOSED;
	return b->state;
}

/* ---- asking ---------------------------------------------------------------------- */

static bool ramp_lets_through(const struct breaker *b, mono_ms now, uint64_t random)
{
	int64_t length = b->until - b->since, share;

	if (b->running == 0)
		return true;
	share = (now - b->since) * 1000 / length;
	if (share < RAMP_FLOOR_PERMILLE)
		share = RAMP_FLOOR_PERMILLE;
	return (int64_t)(random % 1000) < share;
}

enum breaker_verdict breaker_look(const struct breaker *b, const struct breaker_policy *policy,
				  mono_ms now, uint64_t random, mono_ms *retry_at)
{
	(void)policy;
	*retry_at = now;
	switch (breaker_state_at(b, now)) {
	case BREAKER_CLOSED:
		return BREAKER_ALLOW;
	case BREAKER_RAMPING:
		if (ramp_lets_through(b, now, random))
			return BREAKER_ALLOW;
		break;
	case BREAKER_HALF_OPEN:
		if (b->state == BREAKER_OPEN || now >= b->until)
			return BREAKER_PROBE;
		break;
	case BREAKER_OPEN:
		break;
	}
	*retry_at = b->until;
	return BREAKER_DENY;
}

enum breaker_verdict breaker_ask(struct breaker *b, const struct breaker_policy *policy, mono_ms now,
				 uint64_t random, struct breaker_pass *pass)
{
	enum breaker_verdict verdict;
	mono_ms retry_at;

	settle(b, now);
	verdict = breaker_look(b, policy, now, random, &retry_at);
	if (verdict == BREAKER_DENY)
		return verdict;
	*pass = (struct breaker_pass){ .epoch = b->epoch };
	b->running++;
	if (verdict == BREAKER_PROBE) {
		if (++b->lease == 0)
			b->lease = 1;
		pass->lease = b->lease;
		b->until = mono_after(now, policy->lease_ms);
	}
	return verdict;
}

void breaker_force(struct breaker *b, mono_ms now, struct breaker_pass *pass)
{
	settle(b, now);
	*pass = (struct breaker_pass){ .epoch = b->epoch, .forced = true };
	b->running++;
}

/* ---- reports ----------------------------------------------------------------------- */

static bool is_out(const struct breaker *b)
{
	return b->state == BREAKER_OPEN || b->state == BREAKER_HALF_OPEN;
}

void breaker_progress(struct breaker *b, const struct breaker_policy *policy, mono_ms now,
		      const struct breaker_pass *pass)
{
	settle(b, now);
	if (pass->epoch == b->epoch && is_out(b))
		ramp_up(b, policy, now);
}

static void on_good(struct breaker *b, const struct breaker_policy *policy, mono_ms now)
{
	if (is_out(b)) {
		ramp_up(b, policy, now);
		return;
	}
	b->in_row = 0;
	if (b->state == BREAKER_CLOSED && policy->rate_min)
		window_add(&b->window, now, policy->window_ms, true);
}

static bool too_many(struct breaker *b, const struct breaker_policy *policy, mono_ms now)
{
	uint32_t good, bad;

	b->in_row++;
	if (policy->faults_in_row && b->in_row >= policy->faults_in_row)
		return true;
	if (!policy->rate_min)
		return false;
	window_add(&b->window, now, policy->window_ms, false);
	window_sum(&b->window, now, policy->window_ms, &good, &bad);
	return good + bad >= policy->rate_min &&
	       (uint64_t)bad * 100 >= (uint64_t)(good + bad) * policy->rate_percent;
}

static void on_bad(struct breaker *b, const struct breaker_policy *policy, mono_ms now,
		   uint64_t random, const struct breaker_pass *pass)
{
	bool opens = false;

	switch (b->state) {
	case BREAKER_OPEN:
		break;                        /* forced, and as was to be expected */
	case BREAKER_HALF_OPEN:
		opens = pass->lease && pass->lease == b->lease;
		break;
	case BREAKER_RAMPING:
		opens = true;
		break;
	case BREAKER_CLOSED:
		opens = too_many(b, policy, now);
		break;
	}
	if (opens)
		open_up(b, policy, now, random);
}

void breaker_report(struct breaker *b, const struct breaker_policy *policy, mono_ms now,
		    uint64_t random, const struct breaker_pass *pass, enum breaker_outcome outcome)
{
	settle(b, now);
	if (pass->epoch != b->epoch)
		return;                       /* from before it opened: known already */
	must(b->running > 0);
	b->running--;
	switch (outcome) {
	case BREAKER_GOOD:
		on_good(b, policy, now);
		break;
	case BREAKER_BAD:
		on_bad(b, policy, now, random, pass);
		break;
	case BREAKER_NEUTRAL:
		/* The probe learned nothing: the next try is the probe. */
		if (b->state == BREAKER_HALF_OPEN && pass->lease && pass->lease == b->lease)
			b->until = 0;
		break;
	}
}

/* ---- the rest -------------------------------------------------------------------------- */

mono_ms breaker_wake_at(const struct breaker *b)
{
	if (b->state == BREAKER_CLOSED || (b->state == BREAKER_HALF_OPEN && b->until == 0))
		return MONO_NEVER;
	return b->until;
}

void breaker_hint_alive(struct breaker *b, mono_ms now)
{
	settle(b, now);
	if (b->state == BREAKER_OPEN)
		move(b, BREAKER_HALF_OPEN, now, 0);
}

void breaker_hint_dead(struct breaker *b, const struct breaker_policy *policy, mono_ms now,
		       uint64_t random)
{
	settle(b, now);
	if (b->state != BREAKER_OPEN)
		open_up(b, policy, now, random);
}
