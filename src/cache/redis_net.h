/* redis_net.h: the servers that hold our names: one, the master that sentinels
 * name, or a cluster. Finds them, keeps connections, and finds them again. */
#ifndef BACKSTAY_CACHE_REDIS_NET_H
#define BACKSTAY_CACHE_REDIS_NET_H

#include "base/log.h"
#include "cache/policy.h"
#include "cache/redis.h"

struct redis_net;

struct redis_net_setup {
	struct io *io;
	const struct shared_policy *policy;
	const struct log *log;
	/* It is known where names are kept, and there is a connection (again). */
	void (*on_up)(void *owner);
	/* There is none any more; it is tried again by itself. */
	void (*on_down)(void *owner, const char *why);
	void *owner;
};

/* Everything is borrowed. The caller ends it with redis_net_close() and, when its
 * loop runs no more, redis_net_free(). */
struct redis_net *redis_net_create(const struct redis_net_setup *setup);
void redis_net_close(struct redis_net *net);
void redis_net_free(struct redis_net *net);
bool redis_net_is_up(const struct redis_net *net);
/* Why it is down; "" while it is up. */
const char *redis_net_trouble(const struct redis_net *net);

/* A command about one name; its owner keeps it until done() has been told. */
struct net_call {
	/* Once, maybe before redis_net_call() has returned: the reply, or NULL: it was
	 * lost, or there is nobody to ask. Redirections have been followed. */
	void (*done)(struct net_call *c, const struct resp_value *v);
	/* The net's: */
	struct redis_call call, asking;
	struct redis_net *net;
	struct buf command;
	unsigned hops;
};

/* Sends a command to whoever keeps `name`. */
void redis_net_call(struct redis_net *net, struct net_call *c, struct slice name,
		    const struct slice *words, size_t count);
/* Where `name` is kept; false: that is not known. For connections of one's own. */
bool redis_net_where(const struct redis_net *net, struct slice name, struct slice *host, uint16_t *port);

/* The hash slot of a name (CRC16; what stands in {braces} if anything does). */
unsigned redis_slot(struct slice name);

#endif
