/* waiting_room.h: where requests of one model wait while all its targets are
 * full, and who goes next.
 *
 * The order: higher class first; inside a class the client keys take turns
 * (each turn serves one request of each key); inside a key the earliest
 * deadline first, then the earliest arrival. The room is bounded twice: by
 * length, and by time, since whoever would still wait at its deadline is
 * refused at once instead of being served for nobody. When it is full, what
 * matters least goes: the newest of the lowest class, taken from the key that
 * has most waiting there.
 *
 * How long waiting takes is told by what runs: `running` requests that each
 * take `hold` free a place every hold/running. What has been running longer
 * than the average corrects it at once, so that a slow-down shows before the
 * first slow request has ended.
 *
 * The estimate is a guess, and a full queue lives at its edge: a quarter is
 * added. Clients that do not say how long they wait show it: where many leave
 * without a word of an answer, nobody is let in who would wait longer than they
 * did.
 *
 * Pure: reads no clock, takes no lock, allocates nothing. Finding the next one
 * looks at every waiter: a room is small (ROOM_LENGTH_MAX). */
#ifndef BACKSTAY_ADMIT_WAITING_ROOM_H
#define BACKSTAY_ADMIT_WAITING_ROOM_H

#include "base/list.h"
#include "base/mono.h"
#include "base/priority.h"

#include <stdint.h>

#define ROOM_LENGTH_MAX 10000

/* Somebody who waits. Lives inside its owner, who fills in the first four. */
struct waiter {
	enum priority priority;
	uint64_t key;                 /* whose turn it takes: a hash of the client key's name */
	mono_ms deadline;             /* of the whole request */
	int64_t wait_max_ms;          /* longest time in the room */
	uint64_t places;              /* which places would do: a set of bits, see waiting_room_call() */
	/* The room's: */
	struct link link;
	mono_ms since;
	uint64_t turn, order;
	bool called;
	bool greedy;                  /* refused or shed since its own key fills the room: more than half of
				       * it while others wait too, or more than a key that came later has */
};

/* Zeroed and given to waiting_room_init(). */
struct waiting_room {
	struct list waiters;          /* by arrival */
	uint64_t next_order;
	uint64_t turn[PRIORITY_COUNT];        /* that is being served */
	unsigned running;             /* requests of this model that hold a place or several */
	int64_t started_sum;          /* of their starts */
	int64_t hold_ms;              /* how long one runs: moving average; valid if any ended */
	bool any_ended;
	mono_ms ended_at;             /* the last one */
	mono_ms forgot_at;            /* what was before tells nothing */
	int64_t gap_us;               /* between two ends: moving average */
	int64_t patience_ms;          /* of those that left without a word of an answer: moving average */
	uint32_t lost;                /* their recent share of all, in 65536ths */
};

/* Makes an empty room; it must not be moved in memory afterwards. */
void waiting_room_init(struct waiting_room *r);

/* ---- what runs ---------------------------------------------------------------- */

/* A request of this model begins to run, and ends. Every beginning is answered
 * by one end with the same `started_at`. */
void waiting_room_began(struct waiting_room *r, mono_ms started_at);
void waiting_room_ended(struct waiting_room *r, mono_ms started_at, mono_ms now);
/* A target of the model has come back: how long everything took without it, and
 * what ran then, tells nothing any more. */
void waiting_room_forget(struct waiting_room *r, mono_ms now);
/* A request got an answer, or its client left without a word of one after
 * `age_ms`, whether it waited or ran. */
void waiting_room_kept(struct waiting_room *r);
void waiting_room_lost(struct waiting_room *r, int64_t age_ms);
/* How long one request runs, as far as is known; 0: nothing is known. */
int64_t waiting_room_hold_ms(const struct waiting_room *r, mono_ms now);
/* How long one more waiter would wait with `ahead` before it; 0 where nothing
 * is known. */
int64_t waiting_room_wait_ms(const struct waiting_room *r, size_t ahead, mono_ms now);
/* When somebody who is refused now should come back, in ms: when all that wait
 * have been served, spread by `random` so that not all come back together;
 * 1 s .. 60 s. */
int64_t waiting_room_retry_ms(const struct waiting_room *r, mono_ms now, uint64_t random);

/* ---- who waits ------------------------------------------------------------------ */

enum room_verdict {
	ROOM_WAIT,                    /* it is in */
	ROOM_FULL,                    /* as many wait as may, and none matters less */
	ROOM_TOO_LATE,                /* it would be too late for it when its turn came */
};

/* Lets `w` in, which is in no room. `length`: how many may wait. On ROOM_WAIT
 * *shed is whoever had to leave for it (it is in the room no more), or NULL. */
enum room_verdict waiting_room_enter(struct waiting_room *r, struct waiter *w, unsigned length,
				     mono_ms now, struct waiter **shed);
/* Chooses who may try for a place that has become free, `places` being its bits,
 * and marks it called: it stays in the room until it is told to leave or to
 * wait on. NULL: nobody who has not been called waits for such a place. */
struct waiter *waiting_room_call(struct waiting_room *r, uint64_t places);
/* The called one got nothing and waits on where it was, now for `places`. */
void waiting_room_wait_on(struct waiting_room *r, struct waiter *w, uint64_t places);
/* Takes `w` out; `served`: it goes to run, which was its key's turn. */
void waiting_room_leave(struct waiting_room *r, struct waiter *w, bool served);
/* Is `w` in a room? */
bool waiter_waits(const struct waiter *w);
/* Do those before whom `w`, which is in no room, may not go wait for all of
 * `places`? One that nobody of them wants may be free: they have been there. */
bool waiting_room_is_behind(const struct waiting_room *r, const struct waiter *w, uint64_t places);

#endif
