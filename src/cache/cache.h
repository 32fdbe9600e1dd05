/* cache.h: the kept answers of a process, over all stores.
 *
 * Any thread, unless said otherwise. */
#ifndef BACKSTAY_CACHE_CACHE_H
#define BACKSTAY_CACHE_CACHE_H

#include "cache/entry.h"
#include "cache/memory.h"
#include "cache/policy.h"
#include "cache/vectors.h"
#include "base/log.h"
#include "io/io.h"

struct cache;

struct cache_desk;

/* One for a process; `policy` (its texts too) outlives it. Stores that take their
 * time live on the loop `home` (NULL: there are none), which is the caller's. The
 * caller ends it with cache_close() on that loop, and with cache_free() when no
 * loop runs any more. */
struct cache *cache_create(const struct cache_store_policy *policy, uint64_t seed, struct io *home,
			   const struct log *log);
void cache_close(struct cache *c);           /* NULL is fine */
void cache_free(struct cache *c);            /* likewise */

/* The answer with that key, from memory; the caller owns a reference. NULL: none. */
struct cache_entry *cache_get(struct cache *c, const struct cache_key *key);
/* See cache_memory_near(). */
struct cache_entry *cache_near(struct cache *c, uint64_t context, const uint32_t sketch[static CACHE_SKETCH],
			       double least, mono_ms now, int64_t younger_ms, double *similarity);
/* The same by what questions mean: keeps the vector of the question with that key (at
 * most VECTOR_MAX numbers), and finds the answer in memory to the one that is likest. */
void cache_vector_put(struct cache *c, uint64_t context, const struct cache_key *key, const float *numbers,
		      size_t count);
struct cache_entry *cache_vector_find(struct cache *c, uint64_t context, const float *numbers, size_t count,
				      double least, double *similarity);
/* How many vectors are kept. */
size_t cache_vectors(const struct cache *c);
/* How many purges there have been: an answer that was begun before one must not
 * be kept after it. */
uint64_t cache_purges(const struct cache *c);
/* Keeps an answer that was begun when there had been `purges` purges. Takes the
 * caller's reference. */
void cache_put(struct cache *c, struct cache_entry *e, uint64_t purges);

/* Longest name of a tag or model. */
#define CACHE_NAME_MAX 256

enum cache_purge_what { CACHE_PURGE_KEY, CACHE_PURGE_TAG, CACHE_PURGE_MODEL, CACHE_PURGE_ALL };

struct cache_purge {
	enum cache_purge_what what;
	struct cache_key key;
	struct slice name;            /* of the tag or the model */
};

/* Drops the answers meant; gives how many. */
size_t cache_purge(struct cache *c, const struct cache_purge *p);

/* News of targets, between machines that share a store: cache_hear() says who is
 * told (on the loop `home`; before any other thread runs), cache_tell() tells all
 * others. `span_ms`: how long it holds. */
void cache_hear(struct cache *c, void (*on_news)(void *owner, struct slice what, struct slice about,
						 int64_t span_ms), void *owner);
void cache_tell(struct cache *c, struct slice what, struct slice about, int64_t span_ms);

/* Something that all machines which share the store count together, under the same
 * name; lives in its owner, longer than the cache. */
#define CACHE_METERED 2
struct cache_meter {
	char name[CACHE_NAME_MAX + 1];
	/* On the loop `home`: how much a minute holds (0: not counted), and what has been
	 * taken since this was asked last. */
	void (*collect)(struct cache_meter *m, int64_t most[static CACHE_METERED],
			int64_t taken[static CACHE_METERED]);
	/* There, after each cache_meter_stir(), and for a minute from then on each second:
	 * what is left of all, in thousandths, or NULL: there is no store to count with. */
	void (*told)(struct cache_meter *m, const int64_t *left_milli, mono_ms now);
	/* The cache's: */
	struct link link;
	bool due;
	mono_ms used_at;
};
/* Is there a shared store, working or not? */
bool cache_can_share(const struct cache *c);
/* Something was taken: all others hear of it soon. Not again before told(). */
void cache_meter_stir(struct cache *c, struct cache_meter *m);

/* ---- the machines that share a store --------------------------------------------- */

#define CACHE_NODES_MAX 64            /* others that are told of */
#define CACHE_NODE_ID   16            /* hex digits */

/* state, name */
#define CACHE_NODE_STATES(X)                                                              \
	X(READY,    "ready")                                                              \
	X(DRAINING, "draining")       /* it ends what is under way, and then itself */    \
	X(UNKNOWN,  "unknown")        /* the store does not say, or not for long enough */ \
	X(GONE,     "gone")           /* it has given no sign of life for a while */
#define AS_ENUM(state, name) CACHE_NODE_##state,
enum cache_node_state { CACHE_NODE_STATES(AS_ENUM) CACHE_NODE_STATE_COUNT };
#undef AS_ENUM
/* The state's name of the table above. */
const char *cache_node_state_name(enum cache_node_state s);

struct cache_node {
	/* What it says of itself: */
	char name[65], version[33];
	char listen[IO_ADDR_TEXT_MAX], admin[IO_ADDR_TEXT_MAX];   /* "": none */
	char config[17];              /* tells configs apart */
	int64_t generation;           /* of the config, since the start */
	int64_t config_ms, uptime_ms; /* how long the config is in use, and the process */
	int64_t workers, in_flight, connections;      /* exchanges; of clients */
	bool draining;
	/* The cache's: */
	char id[CACHE_NODE_ID + 1];   /* drawn at each start */
	enum cache_node_state state;
	int64_t seen_ms;              /* so long ago it said so */
};

struct cache_cluster {
	bool shared;                  /* is there a store by which to know others? */
	bool alone;                   /* it does not say anything now: nobody else is known of */
	char why[160];                /* if alone */
	char id[CACHE_NODE_ID + 1];   /* our own; "": not shared */
	unsigned more;                /* that there is no room for */
	size_t count;
	struct cache_node nodes[CACHE_NODES_MAX];     /* the others, as last seen */
};

/* Who asks this node what it has to say of itself, every few seconds, on the loop
 * `home`; before any other thread runs. Without it nobody is told of it, and it
 * knows of nobody. */
void cache_meet(struct cache *c, void (*describe)(void *owner, struct cache_node *out), void *owner);
/* Others are to forget this node: it ends. done() is told within half a second, maybe
 * before this returns; once, on the loop `home`, unless cache_close() comes first. */
void cache_leave(struct cache *c, void (*done)(void *owner), void *owner);
/* Who else is there, at `now`. */
void cache_cluster(struct cache *c, mono_ms now, struct cache_cluster *out);

struct cache_stats {
	struct cache_memory_stats memory;
	uint64_t purges, purged;      /* orders, answers */
	uint64_t kept_out;            /* not kept since a purge came while they were made */
	uint64_t leases;              /* had, for questions that this machine was alone with */
	uint64_t waits, waits_answered;       /* for another machine's answer; that it then gave */
};
struct cache_stats cache_stats(struct cache *c);

/* ---- stores that take their time ---------------------------------------------- */

/* Where one worker is told what they have, on its loop. Lives as long as the
 * cache. The threads that make desks take turns. */
struct cache_desk *cache_desk_create(struct cache *c, struct io *io);
/* Its loop is about to end: it is told nothing any more. NULL is fine. */
void cache_desk_close(struct cache_desk *d);

struct cache_asking;

/* Which machine computes the answer to a question? */
enum cache_lease {
	CACHE_LEASE_NOBODYS,          /* there is no store that could say: each by itself */
	CACHE_LEASE_OURS,             /* this one, for as long as the config allows */
	CACHE_LEASE_THEIRS,           /* another */
};

/* A look into them; lives inside its owner, who sets done. */
struct cache_look {
	/* Told once, unless it is cancelled: the answer, of which the owner gets a
	 * reference, or NULL. Within the time that all stores together may take. */
	void (*done)(struct cache_look *l, struct cache_entry *e);
	enum cache_lease lease;       /* of cache_lease_start(), when done is told (with NULL) */
	const char *store_name;       /* when it is told: "disk", "shared", where the answer was; static */
	/* The cache's: */
	struct cache_asking *asking;
	struct cache_desk *desk;
	struct io_timer limit;
};

/* Is there any such store that is working? */
bool cache_can_look(const struct cache *c);
/* Looks for the answer, outside of memory. */
void cache_look_start(struct cache_desk *d, struct cache_look *l, const struct cache_key *key);
/* done() will not be told; fine if nothing is under way. */
void cache_look_cancel(struct cache_look *l);
/* How long a lease holds, in ms; 0: there are none. */
int64_t cache_lease_ms(const struct cache *c);
/* Asks for the lease of a question; `token`, drawn by chance, proves that it is
 * ours. Told as a look is. A lease that comes when nobody waits for it any more is
 * given back. */
void cache_lease_start(struct cache_desk *d, struct cache_look *l, const struct cache_key *key, uint64_t token);
/* For the numbers: another machine's answer is waited for; or (`answered`) it came. */
void cache_lease_waited(struct cache *c, bool answered);
/* Gives it back: behind the answer, if one was put in before. Not told is fine too:
 * it expires. */
void cache_lease_give(struct cache *c, const struct cache_key *key, uint64_t token);
/* What is known of one. */
struct store_stats {
	const char *name;             /* "disk", "shared" */
	bool works;                   /* it is asked at present */
	uint64_t gets, found, puts, failures, timeouts, skipped, dropped;
	uint64_t entries, bytes, bytes_max;   /* as far as it knows; 0 */
	char trouble[128];            /* the last that went wrong, while it does not work; "" : nothing */
};

/* Their numbers; gives how many there are, at most CACHE_STORES_MAX. */
#define CACHE_STORES_MAX 2
size_t cache_store_stats(struct cache *c, struct store_stats out[static CACHE_STORES_MAX]);

#endif
