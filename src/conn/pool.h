/* pool.h: the inside of an upstream_pool: standing connections and where the
 * idle ones wait. */
#ifndef BACKSTAY_CONN_POOL_H
#define BACKSTAY_CONN_POOL_H

#include "base/list.h"
#include "base/map.h"
#include "conn/names.h"
#include "conn/upstream.h"

struct upstream_pool {
	struct io *io;
	const struct log *log;
	struct names *names;
	struct map *buckets;          /* origin key -> struct bucket */
	struct list calls;            /* under way, released ones included */
	struct upstream_counters counters;
	struct io_grave grave;
};

/* Idle connections of one origin, the newest first. */
struct bucket;

/* A connection on which requests can be written. It remembers what it needs of
 * its origin, which may leave the config before it. */
struct upstream_conn {
	struct upstream_pool *pool;
	struct bucket *bucket;        /* NULL while in use */
	struct io_stream *stream;
	struct link link;
	mono_ms idle_until;
	int64_t idle_ms;
	unsigned idle_max;
	bool reused;                  /* has carried a request before this one */
	struct slice key, host;       /* copies: in text[]; host empty where no name was looked up */
	struct io_grave grave;
	uint8_t addr_bytes;           /* of its address, at the front of text[] */
	char text[];
};

/* Where it leads to. */
struct io_addr pool_conn_addr(const struct upstream_conn *c);
/* Takes `s` over; the caller adopts it. Never NULL. */
struct upstream_conn *pool_conn_create(struct upstream_pool *p, const struct origin *origin,
				       struct io_stream *s, const struct io_addr *addr);
/* The newest idle connection to `origin` that is still good, which the caller
 * adopts; NULL if there is none. */
struct upstream_conn *pool_take(struct upstream_pool *p, const struct origin *origin);
/* Gives a connection back on which everything asked has been answered. */
void pool_put(struct upstream_conn *c);
/* Ends a connection in use. */
void pool_conn_close(struct upstream_conn *c, enum io_close how);

#endif
