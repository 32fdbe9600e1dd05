#include "cache/cache.h"

#include "base/check.h"
#include "cache/back.h"
#include "cache/wishes.h"

#include <stdlib.h>

/* Some twenty thousand questions, of vectors of 1,536 numbers. */
#define VECTOR_BYTES ((size_t)32 * 1024 * 1024)

struct cache {
	struct cache_store_policy policy;
	struct cache_memory *memory;  /* NULL: nothing is kept there */
	struct vectors *vectors;      /* with it */
	struct back *back;            /* NULL: there are no other stores */
	struct cache_desk *desks;
	void (*on_news)(void *owner, struct slice what, struct slice about, int64_t span_ms);
	void *news_owner;
	_Atomic(uint64_t) purges, purged, kept_out, leases, waits, waits_answered;
};

/* What some store said to a worker's question, on its way to the worker. */
struct cache_asking {
	struct back_ask ask;
	struct cache_look *look;      /* the worker's; NULL: it does not want it any more */
	struct cache_desk *desk;
	struct cache_entry *entry;
	struct link link;
};

struct cache_desk {
	struct io_message message;
	struct cache_desk *next;
	struct cache *cache;
	struct io *io;
	struct lock lock;
	struct list said;
	bool posted;
};

static bool shared_eq(const struct shared_policy *a, const struct shared_policy *b)
{
	bool same = a->mode == b->mode && a->address_count == b->address_count && a->database == b->database &&
		    a->wait_ms == b->wait_ms && a->connect_ms == b->connect_ms && a->lease_ms == b->lease_ms &&
		    !a->tls == !b->tls && slice_eq(a->master, b->master) && slice_eq(a->user, b->user) &&
		    slice_eq(a->password, b->password) && slice_eq(a->prefix, b->prefix) &&
		    slice_eq(a->sentinel_user, b->sentinel_user) &&
		    slice_eq(a->sentinel_password, b->sentinel_password);

	for (size_t i = 0; same && i < a->address_count; i++)
		same = slice_eq(a->addresses[i].host, b->addresses[i].host) &&
		       a->addresses[i].port == b->addresses[i].port;
	return same;
}

bool cache_store_policy_eq(const struct cache_store_policy *a, const struct cache_store_policy *b)
{
	return a->memory_bytes == b->memory_bytes && a->entry_bytes == b->entry_bytes &&
	       slice_eq(a->disk_path, b->disk_path) && a->disk_bytes == b->disk_bytes &&
	       a->disk_wait_ms == b->disk_wait_ms && shared_eq(&a->shared, &b->shared);
}

/* ---- life ----------------------------------------------------------------------------- */

static bool is_meant(void *owner, const struct cache_entry *e)
{
	const struct cache_purge *p = owner;

	switch (p->what) {
	case CACHE_PURGE_KEY:
		return cache_key_eq(&e->key, &p->key);
	case CACHE_PURGE_TAG:
		return cache_entry_has_tag(e, p->name);
	case CACHE_PURGE_MODEL:
		return slice_eq(e->facts.model, p->name);
	case CACHE_PURGE_ALL:
		break;
	}
	return true;
}

static size_t purge_memory(struct cache *c, const struct cache_purge *p)
{
	struct cache_purge copy = *p;
	size_t count = 0;

	/* It counts before it looks: whoever puts in behind its look sees it. */
	atomic_fetch_add(&c->purges, 1);
	if (c->memory && p->what == CACHE_PURGE_KEY)
		count = cache_memory_remove(c->memory, &p->key) ? 1 : 0;
	else if (c->memory)
		count = cache_memory_purge(c->memory, is_meant, &copy);
	atomic_fetch_add(&c->purged, count);
	return count;
}

/* What another store had is in memory next time. */
static void on_found(void *owner, struct cache_entry *e, uint64_t purges)
{
	struct cache *c = owner;

	if (!c->memory)
		return;
	cache_memory_put(c->memory, e);
	if (cache_purges(c) != purges)
		cache_memory_remove(c->memory, &e->key);
}

static void on_purged_elsewhere(void *owner, const struct cache_purge *p)
{
	purge_memory(owner, p);
}

static void on_told(void *owner, struct slice what, struct slice about, int64_t span_ms)
{
	struct cache *c = owner;

	if (c->on_news)
		c->on_news(c->news_owner, what, about, span_ms);
}

void cache_hear(struct cache *c, void (*on_news)(void *owner, struct slice what, struct slice about,
						 int64_t span_ms), void *owner)
{
	c->on_news = on_news;
	c->news_owner = owner;
}

void cache_tell(struct cache *c, struct slice what, struct slice about, int64_t span_ms)
{
	if (c->back)
		back_tell(c->back, what, about, span_ms);
}

/* ---- the machines that share a store ------------------------------------------------------ */

const char *cache_node_state_name(enum cache_node_state s)
{
	static const char *const names[] = {
#define AS_NAME(state, name) [CACHE_NODE_##state] = name,
		CACHE_NODE_STATES(AS_NAME)
#undef AS_NAME
	};

	return names[s];
}

void cache_meet(struct cache *c, void (*describe)(void *owner, struct cache_node *out), void *owner)
{
	if (c->back)
		back_meet(c->back, describe, owner);
}

void cache_leave(struct cache *c, void (*done)(void *owner), void *owner)
{
	if (c->back)
		back_leave(c->back, done, owner);
	else
		done(owner);
}

void cache_cluster(struct cache *c, mono_ms now, struct cache_cluster *out)
{
	if (c->back)
		back_cluster(c->back, now, out);
	else
		*out = (struct cache_cluster){ .shared = false };
}

struct cache *cache_create(const struct cache_store_policy *policy, uint64_t seed, struct io *home,
			   const struct log *log)
{
	struct cache *c = calloc(1, sizeof *c);

	must(c != NULL);
	c->policy = *policy;
	if (policy->memory_bytes)
		c->memory = cache_memory_create(policy->memory_bytes, policy->entry_bytes, seed);
	if (c->memory)
		c->vectors = vectors_create(VECTOR_BYTES);
	if (home) {
		const struct back_setup back = {
			.policy = &c->policy, .io = home, .log = log, .found = on_found,
			.purged = on_purged_elsewhere, .news = on_told, .owner = c,
		};

		c->back = back_create(&back);
	}
	return c;
}

void cache_close(struct cache *c)
{
	if (c && c->back)
		back_close(c->back);
}

static enum cache_lease lease_of(const struct back_ask *a)
{
	return !a->token || a->end == STORE_FAILED ? CACHE_LEASE_NOBODYS
	     : a->end == STORE_FOUND ? CACHE_LEASE_OURS : CACHE_LEASE_THEIRS;
}

/* Nobody waits for it any more. */
static void forget_said(struct cache_desk *d, struct cache_asking *a)
{
	cache_entry_give(a->entry);
	if (lease_of(&a->ask) == CACHE_LEASE_OURS)
		cache_lease_give(d->cache, &a->ask.key, a->ask.token);
}

static void take_said(struct cache_desk *d, bool tell)
{
	struct link *first;

	lock_take(&d->lock);
	d->posted = false;
	while ((first = list_first(&d->said))) {
		struct cache_asking *a = CONTAINER_OF(first, struct cache_asking, link);
		struct cache_look *l = a->look;

		list_remove(&d->said, first);
		lock_give(&d->lock);
		if (l && tell) {
			io_timer_clear(d->io, &l->limit);
			l->asking = NULL;
			l->lease = lease_of(&a->ask);
			l->store_name = a->ask.store_name;
			if (l->lease == CACHE_LEASE_OURS)
				atomic_fetch_add(&d->cache->leases, 1);
			l->done(l, a->entry);
		} else {
			forget_said(d, a);
		}
		free(a);
		lock_take(&d->lock);
	}
	lock_give(&d->lock);
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	back_free(c->back);
	c->back = NULL;
	for (struct cache_desk *d = c->desks, *next; d; d = next) {
		next = d->next;
		take_said(d, false);
		lock_destroy(&d->lock);
		free(d);
	}
	cache_memory_free(c->memory);
	vectors_free(c->vectors);
	free(c);
}

/* ---- memory ----------------------------------------------------------------------------- */

struct cache_entry *cache_get(struct cache *c, const struct cache_key *key)
{
	return c->memory ? cache_memory_get(c->memory, key) : NULL;
}

struct cache_entry *cache_near(struct cache *c, uint64_t context, const uint32_t sketch[static CACHE_SKETCH],
			       double least, mono_ms now, int64_t younger_ms, double *similarity)
{
	return c->memory ? cache_memory_near(c->memory, context, sketch, least, now, younger_ms, similarity)
			 : NULL;
}

void cache_vector_put(struct cache *c, uint64_t context, const struct cache_key *key, const float *numbers,
		      size_t count)
{
	if (c->vectors)
		vectors_put(c->vectors, context, key, numbers, count);
}

static struct cache_entry *take_known(void *owner, const struct cache_key *key)
{
	return cache_get(owner, key);
}

struct cache_entry *cache_vector_find(struct cache *c, uint64_t context, const float *numbers, size_t count,
				      double least, double *similarity)
{
	return c->vectors ? vectors_find(c->vectors, context, numbers, count, least, take_known, c, similarity)
			  : NULL;
}

size_t cache_vectors(const struct cache *c)
{
	return c->vectors ? vectors_count(c->vectors) : 0;
}

uint64_t cache_purges(const struct cache *c)
{
	return atomic_load(&c->purges);
}

void cache_put(struct cache *c, struct cache_entry *e, uint64_t purges)
{
	if (e->facts.body.len > c->policy.entry_bytes)
		goto done;
	if (c->memory)
		cache_memory_put(c->memory, e);
	if (cache_purges(c) != purges) {
		atomic_fetch_add(&c->kept_out, 1);
		if (c->memory)
			cache_memory_remove(c->memory, &e->key);
	} else if (c->back) {
		back_put(c->back, e);
	}
done:
	cache_entry_give(e);
}

size_t cache_purge(struct cache *c, const struct cache_purge *p)
{
	size_t count = purge_memory(c, p);

	if (c->back)
		back_purge(c->back, p);
	return count;
}

struct cache_stats cache_stats(struct cache *c)
{
	struct cache_stats s = {
		.purges = cache_purges(c),
		.purged = atomic_load(&c->purged),
		.kept_out = atomic_load(&c->kept_out),
		.leases = atomic_load(&c->leases),
		.waits = atomic_load(&c->waits),
		.waits_answered = atomic_load(&c->waits_answered),
	};

	if (c->memory)
		s.memory = cache_memory_stats(c->memory);
	return s;
}

size_t cache_store_stats(struct cache *c, struct store_stats out[static CACHE_STORES_MAX])
{
	return c->back ? back_stats(c->back, out) : 0;
}

/* ---- looking further ------------------------------------------------------------------------ */

static void deliver(struct io_message *m)
{
	take_said(CONTAINER_OF(m, struct cache_desk, message), true);
}

struct cache_desk *cache_desk_create(struct cache *c, struct io *io)
{
	struct cache_desk *d = calloc(1, sizeof *d);

	must(d != NULL);
	d->message.deliver = deliver;
	d->cache = c;
	d->io = io;
	lock_init(&d->lock);
	list_init(&d->said);
	d->next = c->desks;
	c->desks = d;
	return d;
}

void cache_desk_close(struct cache_desk *d)
{
	if (!d)
		return;
	lock_take(&d->lock);
	d->io = NULL;
	lock_give(&d->lock);
}

bool cache_can_look(const struct cache *c)
{
	return c->back != NULL;
}

/* On the back room's loop. */
static void on_said(struct back_ask *ask, struct cache_entry *e)
{
	struct cache_asking *a = CONTAINER_OF(ask, struct cache_asking, ask);
	struct cache_desk *d = a->desk;
	bool post;

	a->entry = e;
	lock_take(&d->lock);
	list_append(&d->said, &a->link);
	post = !d->posted && d->io;
	if (post) {
		d->posted = true;
		io_post(d->io, &d->message);
	}
	lock_give(&d->lock);
}

/* The back room keeps its own limits; this one holds should its loop be late. */
static void on_limit(struct io_timer *timer, mono_ms now)
{
	struct cache_look *l = CONTAINER_OF(timer, struct cache_look, limit);

	(void)now;
	cache_look_cancel(l);
	l->lease = CACHE_LEASE_NOBODYS;
	l->done(l, NULL);
}

static void start(struct cache_desk *d, struct cache_look *l, const struct cache_key *key, uint64_t token)
{
	struct cache_asking *a = calloc(1, sizeof *a);

	must(a != NULL);
	a->ask.key = *key;
	a->ask.token = token;
	a->ask.stamp = cache_purges(d->cache);
	a->ask.done = on_said;
	a->look = l;
	a->desk = d;
	l->asking = a;
	l->desk = d;
	l->limit.fire = on_limit;
	io_timer_set(d->io, &l->limit, mono_after(io_now(d->io), back_wait_ms(d->cache->back)));
	back_ask(d->cache->back, &a->ask);
}

void cache_look_cancel(struct cache_look *l)
{
	if (!l->asking)
		return;
	l->asking->look = NULL;
	l->asking = NULL;
	io_timer_clear(l->desk->io, &l->limit);
}

void cache_look_start(struct cache_desk *d, struct cache_look *l, const struct cache_key *key)
{
	start(d, l, key, 0);
}

/* ---- leases ------------------------------------------------------------------------------ */

int64_t cache_lease_ms(const struct cache *c)
{
	return c->back && c->policy.shared.address_count ? c->policy.shared.lease_ms : 0;
}

void cache_lease_start(struct cache_desk *d, struct cache_look *l, const struct cache_key *key, uint64_t token)
{
	must(token != 0);
	start(d, l, key, token);
}

void cache_lease_waited(struct cache *c, bool answered)
{
	atomic_fetch_add(answered ? &c->waits_answered : &c->waits, 1);
}

void cache_lease_give(struct cache *c, const struct cache_key *key, uint64_t token)
{
	if (c->back)
		back_release(c->back, key, token);
}

/* ---- what machines count together ----------------------------------------------------------- */

bool cache_can_share(const struct cache *c)
{
	return c->back && c->policy.shared.address_count > 0;
}

void cache_meter_stir(struct cache *c, struct cache_meter *m)
{
	if (c->back)
		back_meter(c->back, m);
}
