#include "cache/cache.h"

#include "base/check.h"

#include <stdlib.h>

struct cache {
	struct cache_store_policy policy;
	struct cache_memory *memory;  /* NULL: nothing is kept there */
	_Atomic(uint64_t) purges, purged, kept_out;
};

struct cache *cache_create(const struct cache_store_policy *policy, uint64_t seed)
{
	struct cache *c = calloc(1, sizeof *c);

	must(c != NULL);
	c->policy = *policy;
	if (policy->memory_bytes)
		c->memory = cache_memory_create(policy->memory_bytes, policy->entry_bytes, seed);
	return c;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	cache_memory_free(c->memory);
	free(c);
}

struct cache_entry *cache_get(struct cache *c, const struct cache_key *key)
{
	return c->memory ? cache_memory_get(c->memory, key) : NULL;
}

uint64_t cache_purges(const struct cache *c)
{
	return atomic_load(&c->purges);
}

void cache_put(struct cache *c, struct cache_entry *e, uint64_t purges)
{
	/* A purge counts before it looks: whoever puts in behind its look sees it here. */
	if (e->facts.body.len > c->policy.entry_bytes)
		goto done;
	if (c->memory)
		cache_memory_put(c->memory, e);
	if (cache_purges(c) != purges) {
		atomic_fetch_add(&c->kept_out, 1);
		if (c->memory)
			cache_memory_remove(c->memory, &e->key);
	}
done:
	cache_entry_give(e);
}

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

size_t cache_purge(struct cache *c, const struct cache_purge *p)
{
	struct cache_purge copy = *p;
	size_t count = 0;

	atomic_fetch_add(&c->purges, 1);
	if (c->memory && p->what == CACHE_PURGE_KEY)
		count = cache_memory_remove(c->memory, &p->key) ? 1 : 0;
	else if (c->memory)
		count = cache_memory_purge(c->memory, is_meant, &copy);
	atomic_fetch_add(&c->purged, count);
	return count;
}

struct cache_stats cache_stats(struct cache *c)
{
	struct cache_stats s = {
		.purges = cache_purges(c),
		.purged = atomic_load(&c->purged),
		.kept_out = atomic_load(&c->kept_out),
	};

	if (c->memory)
		s.memory = cache_memory_stats(c->memory);
	return s;
}
