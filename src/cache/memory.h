/* memory.h: answers in memory, bounded in bytes.
 *
 * Shards with a lock each, so that workers seldom meet. What is dropped is
 * chosen by S3-FIFO (Yang et al., SOSP 2023): new answers stand in a small
 * queue that a tenth of the bytes belongs to; those asked for again there move
 * to the main queue, the others leave and are remembered by a fingerprint, by
 * which they go to the main queue at once should they come back. So a scan of
 * questions that nobody asks twice drops nothing that is in use. */
#ifndef BACKSTAY_CACHE_MEMORY_H
#define BACKSTAY_CACHE_MEMORY_H

#include "cache/entry.h"

struct cache_memory;

/* Holds at most `bytes`, and no entry above `entry_max` or a fourth of a shard.
 * `seed` makes its hashes unguessable. The caller ends it with
 * cache_memory_free(); everything else may be called on any thread. */
struct cache_memory *cache_memory_create(size_t bytes, size_t entry_max, uint64_t seed);
void cache_memory_free(struct cache_memory *m);     /* NULL is fine */

/* Keeps `e` (a reference is taken) instead of one with the same key, unless that
 * is younger. False: it is too large. */
bool cache_memory_put(struct cache_memory *m, struct cache_entry *e);
/* The answer with that key, of which the caller owns a reference; NULL: none. */
struct cache_entry *cache_memory_get(struct cache_memory *m, const struct cache_key *key);
/* The answer with that context whose sketch is most like `sketch`, at least
 * `least` (0 .. 1), and younger than `younger_ms` at `now`; the caller owns a
 * reference. NULL: none is. */
struct cache_entry *cache_memory_near(struct cache_memory *m, uint64_t context,
				      const uint32_t sketch[static CACHE_SKETCH], double least,
				      mono_ms now, int64_t younger_ms, double *similarity);
/* Drops it; false: it was not there. */
bool cache_memory_remove(struct cache_memory *m, const struct cache_key *key);
/* Drops those that match(owner, e) holds for; gives how many. Locks are held for
 * a few entries at a time. */
size_t cache_memory_purge(struct cache_memory *m,
			  bool (*match)(void *owner, const struct cache_entry *e), void *owner);

struct cache_memory_stats {
	uint64_t entries, bytes, bytes_max;   /* now */
	uint64_t puts, evictions, too_large;  /* ever */
};
struct cache_memory_stats cache_memory_stats(struct cache_memory *m);

#endif
