/* back.h: the back room: stores that take their time, on one loop of the process,
 * each with a limit to its time and a breaker. Between cache.c and the stores. */
#ifndef BACKSTAY_CACHE_BACK_H
#define BACKSTAY_CACHE_BACK_H

#include "base/log.h"
#include "cache/store.h"

struct back;

/* NULL where the policy names no such store. `found` is told of each answer found,
 * on that loop, with the stamp of its question (it takes no reference). */
struct back_setup {
	const struct cache_store_policy *policy;
	struct io *io;
	const struct log *log;
	void (*found)(void *owner, struct cache_entry *e, uint64_t stamp);
	/* Another machine has ordered answers to be dropped (on this one's disk they
	 * are by then). */
	void (*purged)(void *owner, const struct cache_purge *p);
	/* Another machine tells something of a target. */
	void (*news)(void *owner, struct slice what, struct slice about, int64_t span_ms);
	void *owner;
};
struct back *back_create(const struct back_setup *setup);
/* The loop is about to end. */
void back_close(struct back *b);
/* When it has. */
void back_free(struct back *b);

/* A question of some worker. */
struct back_ask {
	struct cache_key key;
	uint64_t stamp;
	uint64_t token;               /* a lease is asked for, not an answer; 0: an answer */
	enum store_end end;           /* of a lease: FOUND: ours; NOTHING: another's; FAILED: nobody says */
	/* Told once, on the back room's loop or by back_free(); the owner gets the
	 * reference (or NULL). */
	void (*done)(struct back_ask *a, struct cache_entry *e);
	const char *store_name;       /* where the answer was; static; NULL: nowhere */
	/* The back room's: */
	unsigned store;               /* that is asked next */
};

/* Any thread; each is done on the loop soon, in this order. */
void back_ask(struct back *b, struct back_ask *a);
/* Gives a lease back, behind what was put before. */
void back_release(struct back *b, const struct cache_key *key, uint64_t token);
/* Takes a reference of its own. */
void back_put(struct back *b, struct cache_entry *e);
void back_purge(struct back *b, const struct cache_purge *p);
/* Tells the other machines something of a target; `span_ms`: how long it holds. */
void back_tell(struct back *b, struct slice what, struct slice about, int64_t span_ms);
/* See cache_meter_stir(). */
void back_meter(struct back *b, struct cache_meter *m);
/* See cache_meet(), cache_leave() and cache_cluster(). */
void back_meet(struct back *b, void (*describe)(void *owner, struct cache_node *out), void *owner);
void back_leave(struct back *b, void (*done)(void *owner), void *owner);
void back_cluster(struct back *b, mono_ms now, struct cache_cluster *out);
/* Does any store work at present? */
bool back_works(const struct back *b);
/* The longest time that a question takes. */
int64_t back_wait_ms(const struct back *b);
size_t back_stats(struct back *b, struct store_stats out[static CACHE_STORES_MAX]);

#endif
