/* shared.h: a store that several machines share: Redis or Valkey.
 *
 * An answer's age is carried along and goes on by the store's own clock (what is
 * left of its time to live), so the clocks of the machines do not matter. */
#ifndef BACKSTAY_CACHE_SHARED_H
#define BACKSTAY_CACHE_SHARED_H

#include "cache/store.h"

struct shared_setup {
	struct io *io;
	const struct shared_policy *policy;
	size_t entry_max;
	const struct log *log;
	/* Another node has ordered answers to be dropped. */
	void (*on_purge)(void *owner, const struct cache_purge *p);
	/* Another node tells something of a target. */
	void (*on_news)(void *owner, struct slice what, struct slice about, int64_t span_ms);
	void *owner;
};

/* Everything is borrowed. */
struct store *shared_create(const struct shared_setup *setup);
/* Tells all nodes of a target; `span_ms`: how long it holds. */
void shared_tell(struct store *s, struct slice what, struct slice about, int64_t span_ms);

/* Asks that this machine alone computes an answer for a while (lease_ms): FOUND: it
 * does; NOTHING: another does. `token` is never 0. */
void shared_lease(struct store *s, struct store_get *get, uint64_t token);
/* Lets others have it, if it is still ours by that token. */
void shared_release(struct store *s, const struct cache_key *key, uint64_t token);

/* See cache_meter_stir(). */
void shared_stir(struct store *s, struct cache_meter *m);

/* See cache_meet(), cache_leave() and cache_cluster(). */
void shared_meet(struct store *s, void (*describe)(void *owner, struct cache_node *out), void *owner);
void shared_leave(struct store *s, void (*done)(void *owner), void *owner);
void shared_cluster(struct store *s, mono_ms now, struct cache_cluster *out);

#endif
