#include "exchange/lobby.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/map.h"

#include <stdlib.h>

struct lobby_room {
	struct lobby_room *next;      /* never changes once the room is there */
	struct lobby *lobby;
	struct lock lock;
	struct waiting_room waiting;
	atomic_uint count;            /* of it; to be looked at without the lock */
};

/* Where a worker's guests are called. */
struct lobby_desk {
	struct io_message message;
	struct lobby_desk *next;
	struct io *io;
	struct lock lock;             /* taken inside a room's lock, never around it */
	struct list called;
	bool posted;
};

struct lobby {
	struct arena *arena;
	struct map *names;
	_Atomic(struct lobby_room *) rooms;
	struct lobby_desk *desks;
	atomic_uint waiting;
};

struct lobby *lobby_create(void)
{
	struct lobby *l = calloc(1, sizeof *l);

	must(l != NULL);
	l->arena = arena_create(0);
	l->names = map_create(0);
	return l;
}

void lobby_free(struct lobby *l)
{
	if (!l)
		return;
	must(atomic_load(&l->waiting) == 0);
	for (struct lobby_room *r = atomic_load(&l->rooms); r; r = r->next)
		lock_destroy(&r->lock);
	for (struct lobby_desk *d = l->desks; d; d = d->next)
		lock_destroy(&d->lock);
	map_free(l->names);
	arena_free(l->arena);
	free(l);
}

static struct lobby_room *room_named(struct lobby *l, struct slice name)
{
	struct lobby_room *r = map_get(l->names, name);

	if (r)
		return r;
	r = arena_new(l->arena, struct lobby_room);
	r->lobby = l;
	lock_init(&r->lock);
	waiting_room_init(&r->waiting);
	r->next = atomic_load(&l->rooms);
	map_set(l->names, name, r);
	atomic_store(&l->rooms, r);
	return r;
}

void lobby_bind(struct lobby *l, struct model_policy *models, size_t model_count)
{
	for (size_t i = 0; i < model_count; i++)
		models[i].room = room_named(l, models[i].name);
	lobby_places_free(l, LOBBY_ANY_PLACE);
}

unsigned lobby_waiting(const struct lobby *l)
{
	return atomic_load(&l->waiting);
}

/* ---- calling ------------------------------------------------------------------ */

static struct lobby_guest *guest_of(struct waiter *w)
{
	return CONTAINER_OF(w, struct lobby_guest, waiter);
}

/* On the desk's own loop. Each guest is taken off the list before it is told, as
 * it may end, and others with it. */
static void deliver(struct io_message *m)
{
	struct lobby_desk *d = CONTAINER_OF(m, struct lobby_desk, message);
	struct link *first;

	lock_take(&d->lock);
	d->posted = false;
	while ((first = list_first(&d->called))) {
		struct lobby_guest *g = CONTAINER_OF(first, struct lobby_guest, link);

		list_remove(&d->called, first);
		lock_give(&d->lock);
		g->on_called(g, g->shed);
		lock_take(&d->lock);
	}
	lock_give(&d->lock);
}

struct lobby_desk *lobby_desk_create(struct lobby *l, struct io *io)
{
	struct lobby_desk *d = arena_new(l->arena, struct lobby_desk);

	d->io = io;
	d->message.deliver = deliver;
	lock_init(&d->lock);
	list_init(&d->called);
	d->next = l->desks;
	l->desks = d;
	return d;
}

/* The caller holds the lock of the guest's room. */
static void call(struct lobby_guest *g, bool shed, uint64_t places)
{
	struct lobby_desk *d = g->desk;
	bool post;

	lock_take(&d->lock);
	g->shed = shed;
	g->called_for = places;
	list_append(&d->called, &g->link);
	post = !d->posted;
	d->posted = true;
	lock_give(&d->lock);
	if (post)
		io_post(d->io, &d->message);
}

static void call_next(struct lobby_room *r, uint64_t places)
{
	struct waiter *w;

	if (atomic_load(&r->count) == 0)
		return;
	lock_take(&r->lock);
	w = waiting_room_call(&r->waiting, places);
	if (w)
		call(guest_of(w), false, places);
	lock_give(&r->lock);
}

void lobby_ask(struct lobby_room *room)
{
	call_next(room, LOBBY_ANY_PLACE);
}

void lobby_places_free(struct lobby *l, uint64_t places)
{
	/* Whoever comes in after this look asks for its place after it, too. */
	if (atomic_load(&l->waiting) == 0)
		return;
	for (struct lobby_room *r = atomic_load(&l->rooms); r; r = r->next)
		call_next(r, places);
}

void lobby_on_free(void *lobby, uint64_t places)
{
	lobby_places_free(lobby, places);
}

/* ---- coming and going ------------------------------------------------------------ */

static void count(struct lobby_room *r, bool more)
{
	if (more) {
		atomic_fetch_add(&r->count, 1);
		atomic_fetch_add(&r->lobby->waiting, 1);
	} else {
		atomic_fetch_sub(&r->count, 1);
		atomic_fetch_sub(&r->lobby->waiting, 1);
	}
}

enum room_verdict lobby_enter(struct lobby_desk *desk, struct lobby_room *room,
			      struct lobby_guest *g, unsigned length, mono_ms now)
{
	enum room_verdict verdict;
	struct waiter *shed;

	g->room = room;
	g->desk = desk;
	g->shed = false;
	g->waiter.places = LOBBY_ANY_PLACE;
	lock_take(&room->lock);
	verdict = waiting_room_enter(&room->waiting, &g->waiter, length, now, &shed);
	if (verdict == ROOM_WAIT)
		count(room, true);
	if (shed) {
		count(room, false);
		call(guest_of(shed), true, 0);
	}
	lock_give(&room->lock);
	/* A place may have become free since the plan was asked. */
	if (verdict == ROOM_WAIT)
		call_next(room, LOBBY_ANY_PLACE);
	return verdict;
}

void lobby_wait_on(struct lobby_guest *g, uint64_t places)
{
	uint64_t others = g->called_for & ~places;

	lock_take(&g->room->lock);
	waiting_room_wait_on(&g->room->waiting, &g->waiter, places);
	lock_give(&g->room->lock);
	/* It could not use all it was called for; somebody behind it may. */
	if (others)
		call_next(g->room, others);
}

void lobby_leave(struct lobby_guest *g, bool served)
{
	struct lobby_room *room = g->room;
	bool was_called = false;

	if (!room)
		return;
	lock_take(&room->lock);
	if (waiter_waits(&g->waiter)) {
		was_called = g->waiter.called;
		waiting_room_leave(&room->waiting, &g->waiter, served);
		count(room, false);
	}
	lock_take(&g->desk->lock);
	if (link_on_list(&g->link))
		list_remove(&g->desk->called, &g->link);
	lock_give(&g->desk->lock);
	lock_give(&room->lock);
	g->room = NULL;
	/* Whether or not it took what it was called for: there may be more of it. */
	if (was_called)
		lobby_places_free(room->lobby, g->called_for);
}

bool lobby_is_behind(struct lobby_room *room, const struct lobby_guest *g, uint64_t places)
{
	bool behind;

	if (atomic_load(&room->count) == 0)
		return false;
	lock_take(&room->lock);
	behind = waiting_room_is_behind(&room->waiting, &g->waiter, places);
	lock_give(&room->lock);
	return behind;
}

/* ---- what runs ---------------------------------------------------------------------- */

void lobby_began(struct lobby_room *room, mono_ms started_at)
{
	lock_take(&room->lock);
	waiting_room_began(&room->waiting, started_at);
	lock_give(&room->lock);
}

void lobby_ended(struct lobby_room *room, mono_ms started_at, mono_ms now)
{
	lock_take(&room->lock);
	waiting_room_ended(&room->waiting, started_at, now);
	lock_give(&room->lock);
}

void lobby_forget(struct lobby_room *room, mono_ms now)
{
	lock_take(&room->lock);
	waiting_room_forget(&room->waiting, now);
	lock_give(&room->lock);
}

void lobby_answered(struct lobby_room *room, int64_t lost_age_ms)
{
	lock_take(&room->lock);
	if (lost_age_ms < 0)
		waiting_room_kept(&room->waiting);
	else
		waiting_room_lost(&room->waiting, lost_age_ms);
	lock_give(&room->lock);
}

int64_t lobby_retry_ms(struct lobby_room *room, mono_ms now, uint64_t random)
{
	int64_t ms;

	lock_take(&room->lock);
	ms = waiting_room_retry_ms(&room->waiting, now, random);
	lock_give(&room->lock);
	return ms;
}

unsigned lobby_room_count(const struct lobby_room *room)
{
	return room ? atomic_load(&room->count) : 0;
}
