/* lobby.h: the waiting rooms of a process, one for each model, and how those
 * who wait are called when a place becomes free.
 *
 * There is one room for a model, not one for each worker: only so do class,
 * deadline and the turns of client keys mean something, and places are counted
 * over the whole process too. A room stands behind its own small lock. Who
 * frees a place, on whatever worker, chooses the next one under that lock and
 * calls it by a message to its own worker's loop (io_post); there it asks the
 * plan again. A call is an invitation, not a place: who finds it taken waits on
 * where it was, who takes it (or leaves) passes the call on, so that no free
 * place is forgotten. Nobody is called through memory that may be gone: the
 * message is the worker's desk, which lives as long as the lobby, and guests
 * leave the desk's list on their own thread. */
#ifndef BACKSTAY_EXCHANGE_LOBBY_H
#define BACKSTAY_EXCHANGE_LOBBY_H

#include "admit/waiting_room.h"
#include "io/io.h"
#include "route/policy.h"

struct lobby;
struct lobby_room;
struct lobby_desk;

#define LOBBY_ANY_PLACE UINT64_MAX

/* One for a process. */
struct lobby *lobby_create(void);
/* Nobody may wait any more, and no message to a desk may be on its way. NULL is
 * fine. */
void lobby_free(struct lobby *l);
/* Fills in `room` of the models, making rooms that do not exist yet. Rooms live
 * as long as the lobby. Whoever waits is called, since there may be more places
 * now. Any one thread at a time. */
void lobby_bind(struct lobby *l, struct model_policy *models, size_t model_count);
/* A desk for one worker; the lobby's. One thread at a time makes them. */
struct lobby_desk *lobby_desk_create(struct lobby *l, struct io *io);
/* Places have become free (bits as in struct waiter): calls one of each room who
 * waits for such a one. Any thread; cheap where nobody waits. */
void lobby_places_free(struct lobby *l, uint64_t places);
/* The same, to be told by target_registry_watch(); the owner is the lobby. */
void lobby_on_free(void *lobby, uint64_t places);
/* Calls the first who waits there, whatever for: there may be a place. */
void lobby_ask(struct lobby_room *room);
/* How many wait, over all rooms. Any thread. */
unsigned lobby_waiting(const struct lobby *l);

/* Somebody who may wait. Lives inside its exchange; zeroed before its first use. */
struct lobby_guest {
	struct waiter waiter;         /* the first four members are the owner's to fill in */
	/* Told on the guest's own loop: it may ask for a place again; or (`shed`) it
	 * had to leave the room for somebody who matters more. */
	void (*on_called)(struct lobby_guest *g, bool shed);
	/* The lobby's: */
	struct lobby_room *room;
	struct lobby_desk *desk;
	struct link link;             /* on the desk's list */
	uint64_t called_for;
	bool shed;
};

/* Goes into the model's room; on ROOM_WAIT it is called at once to ask (again),
 * in its turn. The guest's own thread, as all below. */
enum room_verdict lobby_enter(struct lobby_desk *desk, struct lobby_room *room,
			      struct lobby_guest *g, unsigned length, mono_ms now);
/* Called, but all places that would do (`places`) were taken: waits on. */
void lobby_wait_on(struct lobby_guest *g, uint64_t places);
/* Leaves the room, `served` or not, or does nothing where it is in none. If it
 * had been called the call is passed on. */
void lobby_leave(struct lobby_guest *g, bool served);
/* Are all of `places` waited for by somebody whom `g` must let go first? */
bool lobby_is_behind(struct lobby_room *room, const struct lobby_guest *g, uint64_t places);

/* A request of the model begins to run, and ends (see waiting_room_began()). */
void lobby_began(struct lobby_room *room, mono_ms started_at);
void lobby_ended(struct lobby_room *room, mono_ms started_at, mono_ms now);
/* See waiting_room_forget(). */
void lobby_forget(struct lobby_room *room, mono_ms now);
/* See waiting_room_kept() and waiting_room_lost(); lost_age_ms -1: it was kept. */
void lobby_answered(struct lobby_room *room, int64_t lost_age_ms);
/* See waiting_room_retry_ms(). */
int64_t lobby_retry_ms(struct lobby_room *room, mono_ms now, uint64_t random);

/* How many wait in a room (NULL: none). Any thread. */
unsigned lobby_room_count(const struct lobby_room *room);

#endif
