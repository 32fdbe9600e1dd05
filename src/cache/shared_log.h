/* shared_log.h: orders to drop answers, as all nodes have given them, in a stream
 * of the shared store: heard at once while the node is connected, and caught up
 * with when it has been away. And news of targets, which only matter when they
 * are new.
 *
 * An answer in the store carries the place in the log up to which its writer had
 * heard; what was ordered behind it holds for the answer too. So an order is one
 * line, however many answers it drops, and a node that was cut off cannot bring
 * back what others have dropped. */
#ifndef BACKSTAY_CACHE_SHARED_LOG_H
#define BACKSTAY_CACHE_SHARED_LOG_H

#include "cache/cache.h"
#include "cache/redis_net.h"

/* A place in a stream: its server's ms, and a number. */
struct log_place {
	uint64_t ms, number;
};

/* -1, 0, 1. */
int log_place_compare(struct log_place a, struct log_place b);

struct shared_log;

struct shared_log_setup {
	struct io *io;
	const struct shared_policy *policy;
	const struct log *log;
	struct redis_net *net;
	/* Another node has ordered it. Any answer that is meant is to be dropped here. */
	void (*on_purge)(void *owner, const struct cache_purge *p);
	/* Another node tells something of a target. */
	void (*on_news)(void *owner, struct slice what, struct slice about, int64_t span_ms);
	void *owner;
};

/* The caller ends it with shared_log_close() and, when its loop runs no more,
 * shared_log_free(). */
struct shared_log *shared_log_create(const struct shared_log_setup *setup);
void shared_log_close(struct shared_log *l);
void shared_log_free(struct shared_log *l);
/* The net is up, or down. */
void shared_log_up(struct shared_log *l);
void shared_log_down(struct shared_log *l);
/* Has all been heard that there is? */
bool shared_log_in_step(const struct shared_log *l);
/* Up to where. */
struct log_place shared_log_place(const struct shared_log *l);
/* Gives an order to all nodes; kept until it can be told. */
void shared_log_order(struct shared_log *l, const struct cache_purge *p);
/* Is an answer, written at `place`, one that has been ordered to be dropped? */
bool shared_log_drops(const struct shared_log *l, const struct cache_entry *e, struct log_place place);
/* Tells all nodes; lost where there is no connection. `span_ms`: how long it holds. */
void shared_log_tell(struct shared_log *l, struct slice what, struct slice about, int64_t span_ms);

#endif
