#include "exchange/quotas.h"

#include "base/check.h"
#include "base/lock.h"
#include "base/map.h"
#include "cache/cache.h"
#include "resilience/quota.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { REQUESTS, TOKENS };

/* Of one client key. */
struct counter {
	struct cache_meter meter;
	struct quotas *all;
	struct lock lock;
	struct quota quota[CACHE_METERED];
	int64_t most[CACHE_METERED];  /* as the config has it now; 0: no limit */
	int64_t untold[CACHE_METERED];        /* taken since the store was told */
	bool stirred;                 /* it will be */
};

struct quotas {
	struct cache *cache;
	const struct log *log;
	struct lock lock;             /* over the map */
	struct map *counters;
	_Atomic(uint64_t) refused[CACHE_METERED];
	atomic_bool shared, alone;
};

struct quotas *quotas_create(struct cache *cache, const struct log *log)
{
	struct quotas *q = calloc(1, sizeof *q);

	must(q != NULL);
	q->cache = cache && cache_can_share(cache) ? cache : NULL;
	q->log = log;
	lock_init(&q->lock);
	q->counters = map_create(1);
	return q;
}

void quotas_free(struct quotas *q)
{
	size_t cursor = 0;
	struct slice name;
	void *v;

	if (!q)
		return;
	while (map_next(q->counters, &cursor, &name, &v)) {
		struct counter *c = v;

		lock_destroy(&c->lock);
		free(c);
	}
	map_free(q->counters);
	lock_destroy(&q->lock);
	free(q);
}

/* ---- between machines ---------------------------------------------------------------------- */

static void collect(struct cache_meter *m, int64_t most[static CACHE_METERED], int64_t taken[static CACHE_METERED])
{
	struct counter *c = CONTAINER_OF(m, struct counter, meter);

	lock_take(&c->lock);
	for (int i = 0; i < CACHE_METERED; i++) {
		most[i] = c->most[i];
		taken[i] = c->untold[i];
		c->untold[i] = 0;
	}
	lock_give(&c->lock);
}

static void note(struct quotas *q, bool shared)
{
	bool was_shared = atomic_exchange(&q->shared, shared);
	bool was_alone = atomic_exchange(&q->alone, !shared);

	if (shared && !was_shared)
		log_line(q->log, LOG_INFO, "limits_shared", "counted=together");
	else if (!shared && !was_alone)
		log_line(q->log, LOG_WARN, "limits_alone", "counted=by_this_node reason=no_shared_store");
}

/* Without word from the store the own count goes on. */
static void told(struct cache_meter *m, const int64_t *left_milli, mono_ms now)
{
	struct counter *c = CONTAINER_OF(m, struct counter, meter);
	bool more = false;

	lock_take(&c->lock);
	for (int i = 0; i < CACHE_METERED; i++) {
		if (left_milli && c->most[i] > 0)
			quota_told(&c->quota[i], c->most[i], now,
				   (double)left_milli[i] / 1000 - (double)c->untold[i]);
		if (!left_milli)
			c->untold[i] = 0;       /* it will have filled up there meanwhile */
		more |= c->untold[i] != 0;
	}
	c->stirred = more;
	lock_give(&c->lock);
	note(c->all, left_milli != NULL);
	if (more)
		cache_meter_stir(c->all->cache, &c->meter);
}

/* ---- counting ---------------------------------------------------------------------------------- */

static struct counter *counter_of(struct quotas *q, const struct client_key *who)
{
	struct counter *c;

	lock_take(&q->lock);
	c = map_get(q->counters, who->name);
	if (!c) {
		c = calloc(1, sizeof *c);
		must(c != NULL);
		c->all = q;
		c->meter.collect = collect;
		c->meter.told = told;
		snprintf(c->meter.name, sizeof c->meter.name, "%.*s", SLICE_ARG(who->name));
		lock_init(&c->lock);
		map_set(q->counters, slice_of(c->meter.name), c);
	}
	lock_give(&q->lock);
	return c;
}

static bool is_limited(const struct client_key *who)
{
	return who && (who->requests_per_minute > 0 || who->tokens_per_minute > 0);
}

/* Under the lock; true: the store is to be told. */
static bool take(struct counter *c, mono_ms now, int what, int64_t amount)
{
	bool stir = c->all->cache && !c->stirred && amount != 0;

	if (c->most[what] <= 0)
		return false;
	quota_take(&c->quota[what], c->most[what], now, (double)amount);
	if (c->all->cache)
		c->untold[what] += amount;
	c->stirred |= stir;
	return stir;
}

bool quotas_enter(struct quotas *q, const struct client_key *who, mono_ms now, int64_t *wait_ms, bool *tokens)
{
	struct counter *c;
	bool stir = false;

	*wait_ms = 0;
	if (!q || !is_limited(who))
		return true;
	c = counter_of(q, who);
	lock_take(&c->lock);
	c->most[REQUESTS] = who->requests_per_minute;
	c->most[TOKENS] = who->tokens_per_minute;
	*tokens = false;
	for (int i = 0; i < CACHE_METERED; i++) {
		int64_t ms = c->most[i] > 0 ? quota_wait_ms(&c->quota[i], c->most[i], now, 1) : 0;

		*tokens = ms > *wait_ms ? i == TOKENS : *tokens;
		*wait_ms = ms > *wait_ms ? ms : *wait_ms;
	}
	if (!*wait_ms)
		stir = take(c, now, REQUESTS, 1);
	lock_give(&c->lock);
	if (stir)
		cache_meter_stir(q->cache, &c->meter);
	if (*wait_ms)
		atomic_fetch_add(&q->refused[*tokens ? TOKENS : REQUESTS], 1);
	return *wait_ms == 0;
}

void quotas_spend(struct quotas *q, const struct client_key *who, mono_ms now, int64_t tokens)
{
	struct counter *c;
	bool stir;

	if (!q || !is_limited(who) || tokens <= 0)
		return;
	c = counter_of(q, who);
	lock_take(&c->lock);
	stir = take(c, now, TOKENS, tokens);
	lock_give(&c->lock);
	if (stir)
		cache_meter_stir(q->cache, &c->meter);
}

struct quota_stats quotas_stats(struct quotas *q)
{
	if (!q)
		return (struct quota_stats){ 0 };
	return (struct quota_stats){
		.refused_requests = atomic_load(&q->refused[REQUESTS]),
		.refused_tokens = atomic_load(&q->refused[TOKENS]),
		.shared = atomic_load(&q->shared), .alone = atomic_load(&q->alone),
	};
}
