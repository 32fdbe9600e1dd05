/* cache.h: the kept answers of a process, over all stores.
 *
 * Any thread, unless said otherwise. */
#ifndef BACKSTAY_CACHE_CACHE_H
#define BACKSTAY_CACHE_CACHE_H

#include "cache/entry.h"
#include "cache/memory.h"
#include "cache/policy.h"

struct cache;

/* One for a process; `policy` is copied. The caller ends it with cache_free(). */
struct cache *cache_create(const struct cache_store_policy *policy, uint64_t seed);
void cache_free(struct cache *c);            /* NULL is fine */

/* The answer with that key, from memory; the caller owns a reference. NULL: none. */
struct cache_entry *cache_get(struct cache *c, const struct cache_key *key);
/* How many purges there have been: an answer that was begun before one must not
 * be kept after it. */
uint64_t cache_purges(const struct cache *c);
/* Keeps an answer that was begun when there had been `purges` purges. Takes the
 * caller's reference. */
void cache_put(struct cache *c, struct cache_entry *e, uint64_t purges);

enum cache_purge_what { CACHE_PURGE_KEY, CACHE_PURGE_TAG, CACHE_PURGE_MODEL, CACHE_PURGE_ALL };

struct cache_purge {
	enum cache_purge_what what;
	struct cache_key key;
	struct slice name;            /* of the tag or the model */
};

/* Drops the answers meant; gives how many. */
size_t cache_purge(struct cache *c, const struct cache_purge *p);

struct cache_stats {
	struct cache_memory_stats memory;
	uint64_t purges, purged;      /* orders, answers */
	uint64_t kept_out;            /* not kept since a purge came while they were made */
};
struct cache_stats cache_stats(struct cache *c);

#endif
