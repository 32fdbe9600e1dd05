#include "cache/meters.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

/* How much later than the first request the others are told of it and those that
 * followed. */
#define TELL_MS 50
/* How often one hears of what others took, for a minute behind the last use here. */
#define LOOK_MS 1000
#define USED_MS 60000

struct meters {
	struct io *io;
	struct redis_net *net;
	struct slice prefix;
	struct list due, watched;
	struct io_timer timer, look;
	bool closed;
};

struct telling {
	struct net_call call;
	struct meters *all;
	struct cache_meter *meter;
	int64_t taken[CACHE_METERED];
};

/* Fills up by the store's clock, takes off, says what is left in thousandths. A
 * name that nobody uses for three minutes is full, and goes. */
static const char script[] =
	"local t = redis.call('TIME') "
	"local now = t[1] * 1000 + math.floor(t[2] / 1000) "
	"local v = redis.call('HMGET', KEYS[1], 'at', 'a', 'b') "
	"local at = tonumber(v[1]) or now "
	"local left = {0, 0} "
	"for i = 1, 2 do "
	"  local most = tonumber(ARGV[i]) "
	"  if most > 0 then "
	"    left[i] = math.min(most, (tonumber(v[i + 1]) or most) + math.max(0, now - at) * most / 60000) "
	"    left[i] = math.max(-most, left[i] - tonumber(ARGV[i + 2])) "
	"  end "
	"end "
	"redis.call('HMSET', KEYS[1], 'at', math.max(at, now), 'a', left[1], 'b', left[2]) "
	"redis.call('PEXPIRE', KEYS[1], 180000) "
	"return {math.floor(left[1] * 1000), math.floor(left[2] * 1000)}";

static void watch(struct meters *m, struct cache_meter *meter)
{
	if (list_empty(&m->watched))
		io_timer_set(m->io, &m->look, mono_after(io_now(m->io), LOOK_MS));
	list_append(&m->watched, &meter->link);
}

static void on_told(struct net_call *c, const struct resp_value *v)
{
	struct telling *t = CONTAINER_OF(c, struct telling, call);
	struct cache_meter *meter = t->meter;
	struct meters *m = t->all;
	int64_t left[CACHE_METERED] = { 0 };
	bool known = v && v->type == RESP_LIST && v->count == CACHE_METERED;

	for (size_t i = 0; known && i < CACHE_METERED; i++) {
		known = v->items[i].type == RESP_INTEGER;
		left[i] = v->items[i].integer;
	}
	free(t);
	meter->told(meter, known ? left : NULL, io_now(m->io));
	if (!m->closed && !link_on_list(&meter->link) && io_now(m->io) - meter->used_at < USED_MS)
		watch(m, meter);
}

static void tell(struct meters *m, struct cache_meter *meter)
{
	struct telling *t = calloc(1, sizeof *t);
	char name[CACHE_NAME_MAX + 128], texts[2 * CACHE_METERED][24];
	struct slice words[4 + 2 * CACHE_METERED] = { S("EVAL"), S(script), S("1") };
	int64_t most[CACHE_METERED];

	must(t != NULL);
	meter->collect(meter, most, t->taken);
	t->all = m;
	t->meter = meter;
	t->call.done = on_told;
	snprintf(name, sizeof name, "%.*s:q:%s", SLICE_ARG(m->prefix), meter->name);
	words[3] = slice_of(name);
	for (size_t i = 0; i < CACHE_METERED; i++) {
		snprintf(texts[i], sizeof texts[i], "%lld", (long long)most[i]);
		snprintf(texts[i + CACHE_METERED], sizeof texts[i], "%lld", (long long)t->taken[i]);
	}
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		words[4 + i] = slice_of(texts[i]);
	redis_net_call(m->net, &t->call, words[3], words, COUNT_OF(words));
}

static void on_due(struct io_timer *timer, mono_ms now)
{
	struct meters *m = CONTAINER_OF(timer, struct meters, timer);
	struct link *first;

	while ((first = list_first(&m->due))) {
		struct cache_meter *meter = CONTAINER_OF(first, struct cache_meter, link);

		list_remove(&m->due, first);
		meter->due = false;
		meter->used_at = now;
		tell(m, meter);
	}
}

static void on_look(struct io_timer *timer, mono_ms now)
{
	struct meters *m = CONTAINER_OF(timer, struct meters, look);
	size_t count = m->watched.count;
	struct link *first;

	/* Those that cannot be told come back at once. */
	while (count-- > 0 && (first = list_first(&m->watched))) {
		list_remove(&m->watched, first);
		tell(m, CONTAINER_OF(first, struct cache_meter, link));
	}
	if (!list_empty(&m->watched))
		io_timer_set(m->io, &m->look, mono_after(now, LOOK_MS));
}

void meters_stir(struct meters *m, struct cache_meter *meter, bool works)
{
	if (!works || m->closed) {
		meter->told(meter, NULL, io_now(m->io));
		return;
	}
	if (meter->due)
		return;
	if (link_on_list(&meter->link))
		list_remove(&m->watched, &meter->link);
	if (list_empty(&m->due))
		io_timer_set(m->io, &m->timer, mono_after(io_now(m->io), TELL_MS));
	meter->due = true;
	list_append(&m->due, &meter->link);
}

struct meters *meters_create(struct io *io, struct redis_net *net, struct slice prefix)
{
	struct meters *m = calloc(1, sizeof *m);

	must(m != NULL);
	m->io = io;
	m->net = net;
	m->prefix = prefix;
	m->timer.fire = on_due;
	m->look.fire = on_look;
	list_init(&m->due);
	list_init(&m->watched);
	return m;
}

void meters_close(struct meters *m)
{
	m->closed = true;
	io_timer_clear(m->io, &m->timer);
	io_timer_clear(m->io, &m->look);
}

void meters_free(struct meters *m)
{
	free(m);
}
