#include "cache/flight.h"

#include "base/check.h"
#include "base/lock.h"
#include "base/map.h"

#include <stdlib.h>

struct flight {
	struct flights *all;
	struct cache_key key;
	struct arena *arena;          /* the facts' texts */
	struct buf bytes;
	enum flight_state state;
	bool too_long;                /* nobody may join */
	struct flight_guest *leader;  /* NULL once it is over */
	struct list guests;
	struct flight_facts facts;
};

struct flight_desk {
	struct io_message message;
	struct flights *all;
	struct flight_desk *next;
	struct io *io;
	struct list news;             /* guests to be told */
	bool posted;
};

/* One lock for all: it is held for a look-up, or while a piece of an answer is
 * copied. Only requests of models that coalesce ever take it. */
struct flights {
	struct lock lock;
	struct map *under_way;        /* key -> flight */
	struct flight_desk *desks;
	size_t followers;
};

struct flights *flights_create(uint64_t seed)
{
	struct flights *all = calloc(1, sizeof *all);

	must(all != NULL);
	lock_init(&all->lock);
	all->under_way = map_create(seed);
	return all;
}

void flights_free(struct flights *all)
{
	if (!all)
		return;
	must(map_count(all->under_way) == 0);
	for (struct flight_desk *d = all->desks, *next; d; d = next) {
		next = d->next;
		free(d);
	}
	map_free(all->under_way);
	lock_destroy(&all->lock);
	free(all);
}

/* ---- telling --------------------------------------------------------------------- */

/* On the desk's own loop. A guest is taken off the list before it is told, since
 * it may go, and others with it. */
static void deliver(struct io_message *m)
{
	struct flight_desk *d = CONTAINER_OF(m, struct flight_desk, message);
	struct flights *all = d->all;
	struct link *first;

	lock_take(&all->lock);
	d->posted = false;
	while ((first = list_first(&d->news))) {
		struct flight_guest *g = CONTAINER_OF(first, struct flight_guest, news);

		list_remove(&d->news, first);
		lock_give(&all->lock);
		g->on_news(g);
		lock_take(&all->lock);
	}
	lock_give(&all->lock);
}

struct flight_desk *flight_desk_create(struct flights *all, struct io *io)
{
	struct flight_desk *d = calloc(1, sizeof *d);

	must(d != NULL);
	d->message.deliver = deliver;
	d->all = all;
	d->io = io;
	list_init(&d->news);
	lock_take(&all->lock);
	d->next = all->desks;
	all->desks = d;
	lock_give(&all->lock);
	return d;
}

/* Under the lock. */
static void tell(struct flight_guest *g)
{
	struct flight_desk *d = g->desk;

	if (link_on_list(&g->news))
		return;
	list_append(&d->news, &g->news);
	if (d->posted)
		return;
	d->posted = true;
	io_post(d->io, &d->message);
}

static void tell_all(struct flight *f)
{
	LIST_EACH(&f->guests, l, after)
		tell(CONTAINER_OF(l, struct flight_guest, link));
}

/* ---- coming and going --------------------------------------------------------------- */

static struct slice name_of(const struct cache_key *key)
{
	return (struct slice){ (const char *)key->bytes, sizeof key->bytes };
}

static struct flight *flight_new(struct flights *all, const struct cache_key *key)
{
	struct flight *f = calloc(1, sizeof *f);

	must(f != NULL);
	f->all = all;
	f->key = *key;
	f->arena = arena_create(256);
	f->bytes = BUF_INIT(FLIGHT_BYTES_MAX);
	list_init(&f->guests);
	return f;
}

void flight_join(struct flights *all, struct flight_desk *desk, const struct cache_key *key,
		 struct flight_guest *g)
{
	struct flight *f;

	must(!g->flight);
	g->desk = desk;
	g->read = 0;
	lock_take(&all->lock);
	f = map_get(all->under_way, name_of(key));
	g->leads = f == NULL;
	if (g->leads) {
		f = flight_new(all, key);
		f->leader = g;
		map_set(all->under_way, name_of(key), f);
	} else {
		list_append(&f->guests, &g->link);
		all->followers++;
		if (f->state != FLIGHT_WAITS)
			tell(g);
	}
	g->flight = f;
	lock_give(&all->lock);
}

bool flight_is_under_way(struct flights *all, const struct cache_key *key)
{
	bool is;

	lock_take(&all->lock);
	is = map_get(all->under_way, name_of(key)) != NULL;
	lock_give(&all->lock);
	return is;
}

/* Under the lock: nobody can join any more. */
static void close_door(struct flight *f)
{
	if (map_get(f->all->under_way, name_of(&f->key)) == f)
		map_remove(f->all->under_way, name_of(&f->key));
}

static void forget_news(struct flight_guest *g)
{
	if (link_on_list(&g->news))
		list_remove(&g->desk->news, &g->news);
}

static void flight_free(struct flight *f)
{
	buf_free(&f->bytes);
	arena_free(f->arena);
	free(f);
}

void flight_leave(struct flight_guest *g)
{
	struct flight *f = g->flight;
	struct flights *all;
	bool last;

	if (!f || g->leads)
		return;
	all = f->all;
	lock_take(&all->lock);
	list_remove(&f->guests, &g->link);
	forget_news(g);
	all->followers--;
	last = list_empty(&f->guests);
	if (last && f->leader) {
		tell(f->leader);
		last = false;
	}
	lock_give(&all->lock);
	g->flight = NULL;
	if (last)
		flight_free(f);
}

/* ---- the leader ------------------------------------------------------------------------ */

static void keep_facts(struct flight *f, const struct flight_facts *facts)
{
	struct flight_facts copy = *facts;

	copy.target = arena_copy(f->arena, facts->target);
	copy.model = arena_copy(f->arena, facts->model);
	copy.finish_reason = arena_copy(f->arena, facts->finish_reason);
	f->facts = copy;
}

void flight_begin(struct flight_guest *g, const struct flight_facts *facts)
{
	struct flight *f = g->flight;

	lock_take(&f->all->lock);
	keep_facts(f, facts);
	f->state = FLIGHT_GIVES;
	lock_give(&f->all->lock);
}

void flight_add(struct flight_guest *g, struct slice bytes)
{
	struct flight *f = g->flight;

	lock_take(&f->all->lock);
	if (!f->too_long && !buf_append(&f->bytes, bytes)) {
		f->too_long = true;
		f->state = FLIGHT_FAILED;
		close_door(f);
	}
	tell_all(f);
	lock_give(&f->all->lock);
}

struct slice flight_bytes(const struct flight_guest *g)
{
	return g->flight->too_long ? SLICE_NONE : buf_slice(&g->flight->bytes);
}

size_t flight_followers(struct flight_guest *g)
{
	struct flight *f = g->flight;
	size_t count;

	lock_take(&f->all->lock);
	count = f->too_long ? 0 : f->guests.count;
	lock_give(&f->all->lock);
	return count;
}

void flight_end(struct flight_guest *g, bool whole, const struct flight_facts *facts)
{
	struct flight *f = g->flight;
	struct flights *all = f->all;
	bool last;

	must(g->leads);
	lock_take(&all->lock);
	if (facts)
		keep_facts(f, facts);
	f->leader = NULL;
	forget_news(g);
	f->state = whole && !f->too_long ? FLIGHT_DONE : FLIGHT_FAILED;
	close_door(f);
	tell_all(f);
	last = list_empty(&f->guests);
	lock_give(&all->lock);
	g->flight = NULL;
	if (last)
		flight_free(f);
}

/* ---- a follower --------------------------------------------------------------------------- */

enum flight_state flight_read(struct flight_guest *g, size_t max, struct buf *out)
{
	struct flight *f = g->flight;
	struct slice rest;
	enum flight_state state;

	lock_take(&f->all->lock);
	state = f->state;
	rest = slice_from(buf_slice(&f->bytes), g->read);
	if (rest.len > max)
		rest.len = max;
	if (state != FLIGHT_WAITS && buf_append(out, rest))
		g->read += rest.len;
	lock_give(&f->all->lock);
	return state;
}

enum flight_state flight_state_of(struct flight_guest *g)
{
	enum flight_state state;

	lock_take(&g->flight->all->lock);
	state = g->flight->state;
	lock_give(&g->flight->all->lock);
	return state;
}

bool flight_reread(struct flight_guest *g, struct buf *out)
{
	struct flight *f = g->flight;
	bool room;

	lock_take(&f->all->lock);
	room = buf_append(out, slice_sub(buf_slice(&f->bytes), 0, g->read));
	lock_give(&f->all->lock);
	return room;
}

struct flight_facts flight_facts_of(struct flight_guest *g, struct arena *arena)
{
	struct flight *f = g->flight;
	struct flight_facts facts;

	lock_take(&f->all->lock);
	facts = f->facts;
	facts.target = arena_copy(arena, facts.target);
	facts.model = arena_copy(arena, facts.model);
	facts.finish_reason = arena_copy(arena, facts.finish_reason);
	lock_give(&f->all->lock);
	return facts;
}

struct flight_counts flights_count(struct flights *all)
{
	struct flight_counts counts;

	lock_take(&all->lock);
	counts = (struct flight_counts){ map_count(all->under_way), all->followers };
	lock_give(&all->lock);
	return counts;
}
