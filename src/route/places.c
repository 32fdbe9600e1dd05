/* places.c: how many requests a target has at once. Two limits hold: that of the
 * backend's URL (max_in_flight, the operator's word), and the one that the
 * target itself shows by how it answers (resilience/limiter.h). */
#include "route/state.h"

#include "base/check.h"

void target_registry_watch(struct target_registry *r,
			   void (*on_free)(void *owner, uint64_t places), void *owner)
{
	r->on_free = on_free;
	r->owner = owner;
}

uint64_t target_places(const struct target *t)
{
	return t->host->places;
}

static bool adapts(const struct backend_policy *b)
{
	return b->min_in_flight > 0;
}

static struct limiter_policy limits_of(const struct backend_policy *b)
{
	return (struct limiter_policy){ .floor = b->min_in_flight, .ceiling = b->max_in_flight };
}

bool place_take(struct target *t, const struct backend_policy *backend, mono_ms now)
{
	const struct limiter_policy limits = limits_of(backend);
	bool room;

	lock_take(&t->host->lock);
	room = (backend->max_in_flight == 0 || t->host->in_flight < backend->max_in_flight) &&
	       (!adapts(backend) || limiter_admit(&t->limiter, &limits, now, t->in_flight));
	if (room) {
		t->host->in_flight++;
		t->in_flight++;
	}
	lock_give(&t->host->lock);
	return room;
}

/* Under the host's lock. */
static void put_back(struct target *t)
{
	must(t->in_flight > 0);
	must(t->host->in_flight > 0);
	t->in_flight--;
	t->host->in_flight--;
}

void place_put_back(struct target *t)
{
	lock_take(&t->host->lock);
	put_back(t);
	lock_give(&t->host->lock);
}

/* Under the host's lock. */
static void learn(struct target *t, const struct backend_policy *backend, mono_ms now,
		  const struct target_outcome *o)
{
	const struct limiter_policy limits = limits_of(backend);
	mono_ms started_at = now - o->took_ms;

	if (!adapts(backend) || (o->neutral && o->silent_ms <= 0))
		return;
	if (o->neutral)
		limiter_silent(&t->limiter, &limits, now, now - o->silent_ms, t->in_flight);
	else if (o->fault == FAULT_NONE)
		limiter_good(&t->limiter, &limits, now, started_at, t->in_flight, -1);
	else if (o->fault == FAULT_OVERLOADED || o->fault == FAULT_SILENCE)
		limiter_overload(&t->limiter, &limits, now, started_at, t->in_flight);
}

void place_give(struct target *t, const struct backend_policy *backend, mono_ms now,
		const struct target_outcome *outcome)
{
	struct target_registry *r = t->host->registry;

	lock_take(&t->host->lock);
	learn(t, backend, now, outcome);
	put_back(t);
	lock_give(&t->host->lock);
	if (r->on_free)
		r->on_free(r->owner, t->host->places);
}

void place_first_token(struct target *t, const struct backend_policy *backend, mono_ms now,
		       int64_t after_ms)
{
	const struct limiter_policy limits = limits_of(backend);

	if (!adapts(backend))
		return;
	lock_take(&t->host->lock);
	limiter_good(&t->limiter, &limits, now, now - after_ms, t->in_flight, after_ms);
	lock_give(&t->host->lock);
}

void place_begin_anew(struct target *t)
{
	lock_take(&t->host->lock);
	limiter_forget(&t->limiter);
	lock_give(&t->host->lock);
}

unsigned place_limit(struct target *t, const struct backend_policy *backend, mono_ms now)
{
	const struct limiter_policy limits = limits_of(backend);
	uint32_t limit = backend->max_in_flight;

	if (!adapts(backend))
		return limit;
	lock_take(&t->host->lock);
	limit = limiter_limit(&t->limiter, &limits, now);
	lock_give(&t->host->lock);
	return limit == LIMITER_NONE ? 0 : limit;
}
