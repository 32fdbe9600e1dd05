/* flight.h: identical requests under way share one answer.
 *
 * The first leads: what its client is given is noted here. Those that come
 * while it is under way follow: each reads from the beginning, at its own pace
 * and on its own loop, whichever worker it belongs to. Leader and followers
 * know each other through this only, so each may leave at any time. */
#ifndef BACKSTAY_CACHE_FLIGHT_H
#define BACKSTAY_CACHE_FLIGHT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "cache/key.h"
#include "io/io.h"

struct flight;
struct flights;
struct flight_desk;

#define FLIGHT_BYTES_MAX ((size_t)8 * 1024 * 1024)    /* of one answer; a longer one leaves its followers alone */

/* One for a process. The caller ends it with flights_free() when no flight is
 * under way and no loop of a desk runs. */
struct flights *flights_create(uint64_t seed);
void flights_free(struct flights *all);      /* NULL is fine */
/* Where the followers of one worker are told, on its loop. Lives as long as the
 * flights. The threads that make desks take turns. */
struct flight_desk *flight_desk_create(struct flights *all, struct io *io);

enum flight_state {
	FLIGHT_WAITS,                 /* no content yet */
	FLIGHT_GIVES,                 /* content comes */
	FLIGHT_DONE,                  /* it was whole */
	FLIGHT_FAILED,                /* it will not be */
};

/* What a follower must know beside the bytes. */
struct flight_facts {
	struct slice target, model, finish_reason;
	bool fallback, usage_known;
	int64_t input_tokens, output_tokens, cached_tokens, reasoning_tokens;
};

/* Somebody who follows or leads; lives inside its owner, who sets on_news. */
struct flight_guest {
	/* A follower: there is more to read, or the flight has ended. The leader: the
	 * last follower has left. May be told for nothing. */
	void (*on_news)(struct flight_guest *g);
	/* The flight's: */
	struct flight *flight;        /* NULL: it neither follows nor leads */
	bool leads;
	struct flight_desk *desk;
	struct link link, news;
	size_t read;
};

/* Follows the flight of that key (flight_leave() ends it), or leads a new one
 * (flight_end() does); g->leads says which. */
void flight_join(struct flights *all, struct flight_desk *desk, const struct cache_key *key,
		 struct flight_guest *g);

/* Does anybody lead one of that key? */
bool flight_is_under_way(struct flights *all, const struct cache_key *key);

/* ---- the leader's ------------------------------------------------------------- */

/* Content begins. */
void flight_begin(struct flight_guest *g, const struct flight_facts *facts);
/* More of it. */
void flight_add(struct flight_guest *g, struct slice bytes);
/* All of it so far; valid until the next flight_add(). Empty where it grew too long. */
struct slice flight_bytes(const struct flight_guest *g);
/* How many follow. */
size_t flight_followers(struct flight_guest *g);
/* It is over; `facts` (NULL: none) are final. The flight belongs to its followers then. */
void flight_end(struct flight_guest *g, bool whole, const struct flight_facts *facts);

/* ---- a follower's --------------------------------------------------------------- */

/* Appends what is new to `out`, at most `max` bytes. */
enum flight_state flight_read(struct flight_guest *g, size_t max, struct buf *out);
/* How it stands. */
enum flight_state flight_state_of(struct flight_guest *g);
/* As far as they are known; copied into `arena`. */
struct flight_facts flight_facts_of(struct flight_guest *g, struct arena *arena);
/* The first `read` bytes once more, into `out` (false: no memory). */
MUST_USE bool flight_reread(struct flight_guest *g, struct buf *out);
/* Follows no more; fine if it follows nothing. */
void flight_leave(struct flight_guest *g);

/* Answers under way now, and requests that follow them. */
struct flight_counts {
	uint64_t flights, followers;
};
struct flight_counts flights_count(struct flights *all);

#endif
