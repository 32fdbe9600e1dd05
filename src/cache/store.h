/* store.h: what a store that takes its time must be able to do. It lives on one
 * loop of the process, the back room's (back.h); all of this is called there. */
#ifndef BACKSTAY_CACHE_STORE_H
#define BACKSTAY_CACHE_STORE_H

#include "cache/cache.h"
#include "io/io.h"

struct store;

/* How asking a store ended. */
enum store_end {
	STORE_FOUND, STORE_NOTHING,   /* it works */
	STORE_FAILED,                 /* it does not */
};

/* One question; its owner keeps it until done() has been told. */
struct store_get {
	struct cache_key key;
	/* Told once, maybe before get() has returned, maybe by close() or free().
	 * The owner takes over the reference to `e`, which may be NULL. */
	void (*done)(struct store_get *g, enum store_end end, struct cache_entry *e);
	struct link link;             /* the store's */
};

struct store_ops {
	void (*get)(struct store *s, struct store_get *g);
	/* Keeps an answer; the store takes a reference of its own. It may drop it. */
	void (*put)(struct store *s, struct cache_entry *e);
	/* Drops answers, here and wherever the store is shared. */
	void (*purge)(struct store *s, const struct cache_purge *p);
	/* Its own numbers; any thread. */
	void (*stats)(struct store *s, struct store_stats *out);
	/* The loop is about to end: nothing is asked or told any more. */
	void (*close)(struct store *s);
	/* Frees it, when the loop has ended and its background threads with it; what is
	 * queued is written first. */
	void (*free)(struct store *s);
};

struct store {
	const struct store_ops *ops;
};

#endif
