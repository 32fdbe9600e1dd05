/* redis.h: one connection to a Redis or Valkey server, or to a sentinel: name,
 * TCP, TLS, who we are; then commands, whose replies come in their order. */
#ifndef BACKSTAY_CACHE_REDIS_H
#define BACKSTAY_CACHE_REDIS_H

#include "base/list.h"
#include "io/io.h"
#include "wire/resp.h"

struct redis;

/* Everything is borrowed and outlives the connection. */
struct redis_setup {
	struct io *io;
	struct slice host;
	uint16_t port;
	struct io_tls *tls;           /* NULL: plain */
	struct slice user, password;  /* empty: none */
	unsigned database;
	int64_t connect_ms;           /* until it is ready */
	int64_t stall_ms;             /* a reply that is due for longer means that it is dead */
	/* It takes commands now. */
	void (*on_ready)(void *owner);
	/* It is of no use any more, for that reason (static, or the connection's); calls
	 * under way have been told. The owner is to redis_close() it, here or later. */
	void (*on_lost)(void *owner, const char *why);
	void *owner;
};

/* A command under way; its owner keeps it until done() has been told. */
struct redis_call {
	/* Once: the reply, valid during the call, or NULL: it was lost. */
	void (*done)(struct redis_call *c, const struct resp_value *v);
	struct link link;             /* the connection's */
};

/* Starts to connect. Never NULL; the caller ends it with redis_close(). */
struct redis *redis_open(const struct redis_setup *setup);
/* Closes it; calls under way are told that they are lost. NULL is fine. */
void redis_close(struct redis *r);
/* Does it take commands? */
bool redis_is_ready(const struct redis *r);
/* Sends a command. The connection must be ready. */
void redis_call(struct redis *r, struct redis_call *c, const struct slice *words, size_t count);
/* The same for one that has been written already. */
void redis_call_written(struct redis *r, struct redis_call *c, struct slice command);
/* Bytes that the server has not taken yet. */
size_t redis_pending(const struct redis *r);

#endif
