/* hedge.c: a second attempt on another target while the first keeps silent. The
 * one that is heard first serves; the other is cancelled at once. */
#include "exchange/exchange.h"

#include "base/check.h"
#include "route/target.h"

static struct io *io_of(const struct exchange *x)
{
	return x->all->setup.io;
}

static struct attempt *running(struct exchange *x)
{
	if (attempt_runs(&x->first))
		return &x->first;
	return x->second && attempt_runs(x->second) ? x->second : NULL;
}

static void on_hedge(struct io_timer *timer, mono_ms now)
{
	struct exchange *x = CONTAINER_OF(timer, struct exchange, hedge);
	const struct hedge_policy *policy = &x->model->hedge;
	struct attempt *a = running(x);
	struct pick pick;

	if (x->state != EXCHANGE_TRYING || exchange_running(x) != 1 || x->attempts != 1 || a->heard ||
	    x->model->retry.max_attempts < 2 || !plan_has_other(x->plan, &a->pick, now))
		return;         /* a fallback model is not for hedges: its answer would be a worse one */
	if (!model_take_hedge(x->model, policy->budget_milli, now)) {
		log_line(x->all->setup.log, LOG_DEBUG, "hedge_refused", "id=%.*s model=%.*s",
			 SLICE_ARG(x->id), SLICE_ARG(x->model->name));
		return;
	}
	if (!plan_next_fellow(x->plan, now, io_random(io_of(x)), &pick))
		return;
	x->pick = pick;
	x->hedged = true;
	explain_note(x, a->pick.target, "hedged", "silent for too long");
	log_line(x->all->setup.log, LOG_INFO, "hedge_begun", "id=%.*s slow=%.*s target=%.*s after_ms=%lld",
		 SLICE_ARG(x->id), SLICE_ARG(a->pick.target->name), SLICE_ARG(pick.target->name),
		 (long long)(now - a->started_at));
	/* One that cannot be asked leaves the first as it is. */
	if (!exchange_begin_attempt(x, "hedge", now))
		x->hedged = false;
}

void hedge_arm(struct exchange *x, const struct attempt *first, mono_ms now)
{
	const struct hedge_policy *policy = &x->model->hedge;
	int64_t after_ms = -1;

	if (!policy->on || !x->endpoint->may_retry || x->endpoint->kind == ENDPOINT_PASS ||
	    !(x->facts.stream || first->as_stream))
		return;
	model_feed_hedge(x->model, policy->budget_milli, now);
	if (policy->after_p95)
		after_ms = target_first_token_p95_ms(first->pick.target->state, now);
	if (after_ms < 0)
		after_ms = policy->after_ms;
	x->hedge.fire = on_hedge;
	io_timer_set(io_of(x), &x->hedge, mono_after(now, after_ms));
}

void hedge_settle(struct attempt *a, mono_ms now)
{
	struct exchange *x = a->x;
	struct attempt *other = a == &x->first ? x->second : &x->first;

	io_timer_clear(io_of(x), &x->hedge);
	if (!other || !attempt_runs(other))
		return;
	x->hedge_won = a->number > other->number;
	exchange_cancel_attempt(other, FAULT_OUTRUN, S("another attempt was heard first"), now);
}
