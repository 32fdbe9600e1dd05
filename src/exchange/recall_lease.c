/* recall_lease.c: of the machines that share a store one at a time asks for an
 * answer, and holds the question's lease meanwhile. The others wait until the lease
 * is theirs, since it was given back or has expired: then the answer is there, or
 * they ask themselves. */
#include "exchange/recall.h"

#include "base/check.h"
#include "exchange/conductor.h"

#define POLL_MS 25                    /* at first; doubles */
#define POLL_MAX_MS 200

static void ask(struct exchange *x);

/* The other machine has ended: is its answer there? */
static void on_looked_again(struct cache_look *l, struct cache_entry *e)
{
	struct recall *r = CONTAINER_OF(l, struct recall, look);
	struct exchange *x = r->x;
	mono_ms now = io_now(x->all->setup.io);
	bool fits = e && cache_verdict(r->policy, &r->wishes, cache_entry_age_ms(e, now)) != CACHE_MISS;

	cache_entry_give(r->found);
	r->found = e;
	if (!fits) {
		exchange_go(x, now);
		return;
	}
	cache_lease_waited(x->all->setup.cache, true);
	recall_let_go(x);               /* whoever follows finds it in memory */
	if (!x->client)
		exchange_end(x, FAULT_NONE);
	else if (!recall_hit(x, now))
		exchange_go(x, now);
}

static void on_poll(struct io_timer *t, mono_ms now)
{
	(void)now;
	ask(CONTAINER_OF(t, struct recall, poll)->x);
}

/* Another machine has it. */
static void wait_for_it(struct exchange *x, mono_ms now)
{
	struct recall *r = x->recall;

	if (r->refresh) {               /* it fetches the new answer for all */
		exchange_end(x, FAULT_NONE);
		return;
	}
	if (now >= r->lease_until) {
		exchange_go(x, now);
		return;
	}
	if (!r->waited)
		cache_lease_waited(x->all->setup.cache, false);
	r->waited = true;
	r->poll.fire = on_poll;
	io_timer_set(x->all->setup.io, &r->poll, mono_earlier(r->lease_until, mono_after(now, r->poll_ms)));
	r->poll_ms = 2 * r->poll_ms < POLL_MAX_MS ? 2 * r->poll_ms : POLL_MAX_MS;
}

static void on_lease(struct cache_look *l, struct cache_entry *e)
{
	struct recall *r = CONTAINER_OF(l, struct recall, look);
	struct exchange *x = r->x;
	mono_ms now = io_now(x->all->setup.io);

	must(e == NULL);
	switch (l->lease) {
	case CACHE_LEASE_THEIRS:
		wait_for_it(x, now);
		return;
	case CACHE_LEASE_OURS:
		r->leased = true;
		if (r->waited) {
			r->look.done = on_looked_again;
			cache_look_start(x->all->looks, &r->look, &r->key);
			return;
		}
		break;
	case CACHE_LEASE_NOBODYS:
		break;
	}
	exchange_go(x, now);
}

static void ask(struct exchange *x)
{
	struct recall *r = x->recall;

	r->look.done = on_lease;
	cache_lease_start(x->all->looks, &r->look, &r->key, r->lease_token);
}

bool recall_lease(struct exchange *x, mono_ms now)
{
	struct recall *r = x->recall;
	int64_t lease_ms = cache_lease_ms(x->all->setup.cache);

	/* It only helps who may be given what the other one keeps. */
	if (!lease_ms || !r->may_keep || !(r->refresh || cache_may_hit(r->policy, &r->wishes)))
		return false;
	r->lease_token = io_random(x->all->setup.io) | 1;
	r->lease_until = mono_after(now, lease_ms);
	r->poll_ms = POLL_MS;
	if (x->state != EXCHANGE_RECALLING)
		exchange_enter(x, EXCHANGE_RECALLING);
	ask(x);
	return true;
}

void recall_lease_end(struct exchange *x)
{
	struct recall *r = x->recall;

	io_timer_clear(x->all->setup.io, &r->poll);
	if (r->leased)
		cache_lease_give(x->all->setup.cache, &r->key, r->lease_token);
	r->leased = false;
}
