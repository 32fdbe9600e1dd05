#include "cache/memory.h"

#include "base/check.h"
#include "cache/near.h"

#include <stdlib.h>
#include <string.h>

#define SHARDS_MAX 16
#define SHARD_BYTES_MIN ((size_t)1024 * 1024)
#define ENTRY_BYTES_GUESS 2048        /* for the size of tables */
#define HITS_MAX 3
#define PURGE_BUCKETS 64              /* looked at under one lock */

/* A key that left the small queue lately, by a part of its hash. */
struct ghost {
	uint32_t mark, at;
};

struct shard {
	struct lock lock;
	struct cache_entry **buckets;
	size_t bucket_count;          /* a power of two */
	struct list small, main;      /* the oldest first */
	size_t small_bytes, main_bytes, bytes_max;
	struct ghost *ghosts;         /* as many as buckets */
	uint32_t ghost_clock;         /* keys that left so far */
	size_t count;
	uint64_t puts, evictions, too_large;
};

#define NEAR_BUCKETS 1024
#define NEAR_LOOKED_AT 512            /* answers compared with a question, the newest first */

/* Answers by context. Its lock is taken inside a shard's, never around it. */
struct near_index {
	struct lock lock;
	struct list buckets[NEAR_BUCKETS];
};

struct cache_memory {
	struct near_index near;
	uint64_t seed;
	size_t entry_max;
	unsigned shard_count;         /* a power of two */
	struct shard shards[SHARDS_MAX];
};

static size_t power_of_two(size_t least)
{
	size_t n = 1;

	while (n < least)
		n *= 2;
	return n;
}

static void shard_init(struct shard *s, size_t bytes)
{
	lock_init(&s->lock);
	list_init(&s->small);
	list_init(&s->main);
	s->bytes_max = bytes;
	s->bucket_count = power_of_two(bytes / ENTRY_BYTES_GUESS + 16);
	s->buckets = calloc(s->bucket_count, sizeof(struct cache_entry *));
	s->ghosts = calloc(s->bucket_count, sizeof *s->ghosts);
	must(s->buckets != NULL);
	must(s->ghosts != NULL);
}

struct cache_memory *cache_memory_create(size_t bytes, size_t entry_max, uint64_t seed)
{
	struct cache_memory *m = calloc(1, sizeof *m);
	size_t shards = 1;

	must(m != NULL);
	while (shards < SHARDS_MAX && bytes / (shards * 2) >= SHARD_BYTES_MIN)
		shards *= 2;
	lock_init(&m->near.lock);
	for (size_t i = 0; i < NEAR_BUCKETS; i++)
		list_init(&m->near.buckets[i]);
	m->seed = seed;
	m->shard_count = (unsigned)shards;
	m->entry_max = entry_max < bytes / shards / 4 ? entry_max : bytes / shards / 4;
	for (unsigned i = 0; i < m->shard_count; i++)
		shard_init(&m->shards[i], bytes / shards);
	return m;
}

void cache_memory_free(struct cache_memory *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->shard_count; i++) {
		struct shard *s = &m->shards[i];

		for (size_t b = 0; b < s->bucket_count; b++)
			for (struct cache_entry *e = s->buckets[b], *next; e; e = next) {
				next = e->chain;
				cache_entry_give(e);
			}
		free(s->buckets);
		free(s->ghosts);
		lock_destroy(&s->lock);
	}
	lock_destroy(&m->near.lock);
	free(m);
}

/* ---- finding --------------------------------------------------------------------- */

static uint64_t hash_of(const struct cache_memory *m, const struct cache_key *key)
{
	return slice_hash((struct slice){ (const char *)key->bytes, sizeof key->bytes }, m->seed);
}

static struct shard *shard_of(struct cache_memory *m, uint64_t hash)
{
	return &m->shards[hash >> 60 & (m->shard_count - 1)];
}

/* Where the pointer to the entry stands; to NULL where it is not there. */
static struct cache_entry **place_of(struct shard *s, uint64_t hash, const struct cache_key *key)
{
	struct cache_entry **at = &s->buckets[hash & (s->bucket_count - 1)];

	while (*at && !cache_key_eq(&(*at)->key, key))
		at = &(*at)->chain;
	return at;
}

struct cache_entry *cache_memory_get(struct cache_memory *m, const struct cache_key *key)
{
	uint64_t hash = hash_of(m, key);
	struct shard *s = shard_of(m, hash);
	struct cache_entry *e;

	lock_take(&s->lock);
	e = *place_of(s, hash, key);
	if (e) {
		if (e->hits < HITS_MAX)
			e->hits++;
		cache_entry_take(e);
	}
	lock_give(&s->lock);
	return e;
}

/* ---- leaving --------------------------------------------------------------------- */

/* Entries taken out under a lock, to be freed behind it. */
struct victims {
	struct cache_entry *first;
};

static void bury(struct victims *v)
{
	for (struct cache_entry *e = v->first, *next; e; e = next) {
		next = e->chain;
		cache_entry_give(e);
	}
}

static struct list *near_bucket(struct cache_memory *m, uint64_t context)
{
	return &m->near.buckets[context % NEAR_BUCKETS];
}

static void near_add(struct cache_memory *m, struct cache_entry *e)
{
	if (!e->facts.context)
		return;
	lock_take(&m->near.lock);
	list_prepend(near_bucket(m, e->facts.context), &e->near);
	lock_give(&m->near.lock);
}

static void near_remove(struct cache_memory *m, struct cache_entry *e)
{
	if (!e->facts.context)
		return;
	lock_take(&m->near.lock);
	list_remove(near_bucket(m, e->facts.context), &e->near);
	lock_give(&m->near.lock);
}

static void take_out(struct cache_memory *m, struct shard *s, struct cache_entry **at, struct victims *v)
{
	struct cache_entry *e = *at;

	near_remove(m, e);
	*at = e->chain;
	list_remove(e->in_main ? &s->main : &s->small, &e->queue);
	*(e->in_main ? &s->main_bytes : &s->small_bytes) -= e->size;
	s->count--;
	e->chain = v->first;
	v->first = e;
}

static uint32_t mark_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32) | 1;
}

static void remember(struct shard *s, uint64_t hash)
{
	s->ghosts[hash & (s->bucket_count - 1)] = (struct ghost){ mark_of(hash), ++s->ghost_clock };
}

/* Did it leave while as many keys as the shard holds have left since? */
static bool left_lately(const struct shard *s, uint64_t hash)
{
	const struct ghost *g = &s->ghosts[hash & (s->bucket_count - 1)];

	return g->mark == mark_of(hash) && s->ghost_clock - g->at <= s->count;
}

static struct cache_entry *entry_of(struct link *l)
{
	return CONTAINER_OF(l, struct cache_entry, queue);
}

static void enqueue(struct shard *s, struct cache_entry *e, bool main)
{
	e->in_main = main;
	list_append(main ? &s->main : &s->small, &e->queue);
	*(main ? &s->main_bytes : &s->small_bytes) += e->size;
}

static void requeue(struct shard *s, struct cache_entry *e)
{
	list_remove(e->in_main ? &s->main : &s->small, &e->queue);
	*(e->in_main ? &s->main_bytes : &s->small_bytes) -= e->size;
	enqueue(s, e, true);
}

/* One step towards more room. */
static void evict_one(struct cache_memory *m, struct shard *s, struct victims *v)
{
	bool from_small = s->small_bytes > s->bytes_max / 10 || list_empty(&s->main);
	struct link *first = list_first(from_small ? &s->small : &s->main);
	struct cache_entry *e;
	uint64_t hash;

	must(first != NULL);
	e = entry_of(first);
	hash = hash_of(m, &e->key);
	if (from_small && e->hits > 0) {
		e->hits = 0;
		requeue(s, e);
		return;
	}
	if (!from_small && e->hits > 0) {
		e->hits--;
		requeue(s, e);
		return;
	}
	if (from_small)
		remember(s, hash);
	take_out(m, s, place_of(s, hash, &e->key), v);
	s->evictions++;
}

struct cache_entry *cache_memory_near(struct cache_memory *m, uint64_t context,
				      const uint32_t sketch[static CACHE_SKETCH], double least,
				      mono_ms now, int64_t younger_ms, double *similarity)
{
	struct cache_entry *best = NULL;
	unsigned looked_at = 0;

	*similarity = 0;
	lock_take(&m->near.lock);
	LIST_EACH(near_bucket(m, context), l, after) {
		struct cache_entry *e = CONTAINER_OF(l, struct cache_entry, near);
		double s;

		if (e->facts.context != context || cache_entry_age_ms(e, now) >= younger_ms)
			continue;
		if (++looked_at > NEAR_LOOKED_AT)
			break;
		s = near_similarity(sketch, e->facts.sketch);
		if (s >= least && s > *similarity) {
			*similarity = s;
			best = e;
		}
	}
	if (best)
		cache_entry_take(best);
	lock_give(&m->near.lock);
	return best;
}

/* ---- coming ------------------------------------------------------------------------ */

bool cache_memory_put(struct cache_memory *m, struct cache_entry *e)
{
	uint64_t hash = hash_of(m, &e->key);
	struct shard *s = shard_of(m, hash);
	struct victims v = { NULL };
	struct cache_entry **at;
	bool fits = e->size <= m->entry_max, asked = false;

	lock_take(&s->lock);
	s->puts++;
	s->too_large += !fits;
	at = place_of(s, hash, &e->key);
	if (fits && *at && (*at == e || (*at)->born > e->born))
		goto done;
	if (fits && *at) {
		asked = (*at)->in_main;
		take_out(m, s, at, &v);
	}
	if (!fits)
		goto done;
	while (s->small_bytes + s->main_bytes + e->size > s->bytes_max)
		evict_one(m, s, &v);
	at = place_of(s, hash, &e->key);
	*at = cache_entry_take(e);
	e->chain = NULL;
	e->hits = 0;
	s->count++;
	enqueue(s, e, asked || left_lately(s, hash));
	near_add(m, e);
done:
	lock_give(&s->lock);
	bury(&v);
	return fits;
}

bool cache_memory_remove(struct cache_memory *m, const struct cache_key *key)
{
	uint64_t hash = hash_of(m, key);
	struct shard *s = shard_of(m, hash);
	struct victims v = { NULL };
	struct cache_entry **at;

	lock_take(&s->lock);
	at = place_of(s, hash, key);
	if (*at)
		take_out(m, s, at, &v);
	lock_give(&s->lock);
	bury(&v);
	return v.first != NULL;
}

static size_t purge_some(struct cache_memory *m, struct shard *s, size_t from, size_t to,
			 bool (*match)(void *owner, const struct cache_entry *e), void *owner)
{
	struct victims v = { NULL };
	size_t count = 0;

	lock_take(&s->lock);
	for (size_t b = from; b < to; b++) {
		struct cache_entry **at = &s->buckets[b];

		while (*at) {
			if (match(owner, *at)) {
				take_out(m, s, at, &v);
				count++;
			} else {
				at = &(*at)->chain;
			}
		}
	}
	lock_give(&s->lock);
	bury(&v);
	return count;
}

size_t cache_memory_purge(struct cache_memory *m,
			  bool (*match)(void *owner, const struct cache_entry *e), void *owner)
{
	size_t count = 0;

	for (unsigned i = 0; i < m->shard_count; i++) {
		struct shard *s = &m->shards[i];

		for (size_t b = 0; b < s->bucket_count; b += PURGE_BUCKETS)
			count += purge_some(m, s, b, b + PURGE_BUCKETS < s->bucket_count
					    ? b + PURGE_BUCKETS : s->bucket_count, match, owner);
	}
	return count;
}

struct cache_memory_stats cache_memory_stats(struct cache_memory *m)
{
	struct cache_memory_stats sum = { 0 };

	for (unsigned i = 0; i < m->shard_count; i++) {
		struct shard *s = &m->shards[i];

		lock_take(&s->lock);
		sum.entries += s->count;
		sum.bytes += s->small_bytes + s->main_bytes;
		sum.bytes_max += s->bytes_max;
		sum.puts += s->puts;
		sum.evictions += s->evictions;
		sum.too_large += s->too_large;
		lock_give(&s->lock);
	}
	return sum;
}
