/* exchanges.h: all exchanges of one worker: what requests go into and answers
 * come out of. */
#ifndef BACKSTAY_EXCHANGE_EXCHANGES_H
#define BACKSTAY_EXCHANGE_EXCHANGES_H

#include "conn/client_conn.h"
#include "conn/upstream.h"
#include "config/config.h"
#include "observe/record.h"

struct cache;
struct exchanges;
struct flights;
struct lobby;
struct metrics_sheet;
struct quotas;

/* Everything is borrowed and outlives the exchanges, except `config`, of which
 * a reference is taken. */
struct exchanges_setup {
	struct io *io;
	struct upstream_pool *pool;
	struct config *config;        /* targets bound (target_registry_bind), rooms too (lobby_bind) */
	struct lobby *lobby;          /* where requests wait; NULL: nowhere */
	struct cache *cache;          /* kept answers; NULL: none are */
	struct quotas *quotas;        /* of client keys; NULL: none are counted */
	struct flights *flights;      /* shared answers; NULL: none are */
	struct metrics_sheet *sheet;  /* where gaps between pieces are counted; NULL: nowhere */
	const struct log *log;
	/* Told once for each request that was handed up, when it has ended. */
	void (*on_record)(void *owner, const struct exchange_record *record);
	/* Told when a look at a target from outside has ended; may be NULL. FAULT_NONE:
	 * it went well; a fault that does not blame the target says nothing. */
	void (*on_look)(void *owner, struct slice target, enum fault fault);
	void *owner;
};

/* The caller ends it with exchanges_free(). */
struct exchanges *exchanges_create(const struct exchanges_setup *setup);
/* Exchanges begun from now on use `config`; those under way keep theirs. */
void exchanges_set_config(struct exchanges *all, struct config *config);
/* Exchanges under way. */
size_t exchanges_count(const struct exchanges *all);
/* Of these, those that nobody waits for: they fetch anew what is kept. */
size_t exchanges_refreshing(const struct exchanges *all);
/* Looks at targets from outside (probes) and fetches of credentials under way;
 * each may use a connection. */
size_t exchanges_looks(const struct exchanges *all);
/* Ends all of them honestly: an error (event) in the client's dialect that says
 * the proxy is shutting down. */
void exchanges_end_all(struct exchanges *all);
/* None may be under way. */
void exchanges_free(struct exchanges *all);

/* For client_door_create(); the door's owner is the struct exchanges. */
extern const struct client_door_events exchanges_door_events;

#endif
