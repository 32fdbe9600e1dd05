#include "route/target.h"

#include "base/check.h"
#include "base/lock.h"
#include "base/map.h"

#include <stdlib.h>

/* A backend's URL: what max_in_flight counts. Several targets may live on it. */
struct host {
	struct lock lock;
	unsigned in_flight;
	uint64_t places;              /* see target_places() */
	struct target_registry *registry;
};

struct target {
	struct host *host;
	unsigned in_flight;           /* under the host's lock */
};

struct rotation {
	struct lock lock;
	int64_t current[];            /* smooth weighted round robin: how overdue each one is */
};

struct target_registry {
	struct map *targets;          /* key: host key, model */
	struct map *hosts;            /* key: backend, origin, credential */
	struct arena *arena;
	void (*on_free)(void *owner, uint64_t places);
	void *owner;
};

struct target_registry *target_registry_create(void)
{
	struct arena *arena = arena_create(0);
	struct target_registry *r = arena_new(arena, struct target_registry);

	r->arena = arena;
	r->targets = map_create(0);
	r->hosts = map_create(0);
	return r;
}

void target_registry_free(struct target_registry *r)
{
	if (!r)
		return;
	map_free(r->targets);
	map_free(r->hosts);
	arena_free(r->arena);
}

/* A changed credential is another host: its troubles are its own. Only a hash
 * of it is kept. */
static struct slice host_key(struct arena *scratch, const struct target_policy *t)
{
	return arena_printf(scratch, "%.*s\n%016llx", SLICE_ARG(t->host_key),
			    (unsigned long long)slice_hash(t->backend->key, 0x6b6579));
}

static struct host *host_find(struct target_registry *r, struct slice key)
{
	struct host *host = map_get(r->hosts, key);

	if (host)
		return host;
	host = arena_new(r->arena, struct host);
	lock_init(&host->lock);
	host->registry = r;
	host->places = (uint64_t)1 << (map_count(r->hosts) % 64);
	map_set(r->hosts, key, host);
	return host;
}

static struct target *target_find(struct target_registry *r, struct arena *scratch,
				  const struct target_policy *policy)
{
	struct slice at_host = host_key(scratch, policy);
	struct slice key = arena_printf(scratch, "%.*s\n%.*s", SLICE_ARG(at_host),
					SLICE_ARG(policy->model));
	struct target *t = map_get(r->targets, key);

	if (t)
		return t;
	t = arena_new(r->arena, struct target);
	t->host = host_find(r, at_host);
	map_set(r->targets, key, t);
	return t;
}

void target_registry_bind(struct target_registry *r, struct arena *arena,
			  struct model_policy *models, size_t model_count)
{
	struct arena *scratch = arena_create(0);

	for (size_t m = 0; m < model_count; m++) {
		struct model_policy *model = &models[m];

		model->rotation = arena_alloc(arena, sizeof *model->rotation +
					      model->target_count * sizeof(int64_t));
		lock_init(&model->rotation->lock);
		for (size_t i = 0; i < model->target_count; i++)
			model->targets[i].state = target_find(r, scratch, &model->targets[i]);
	}
	arena_free(scratch);
}

void target_registry_watch(struct target_registry *r,
			   void (*on_free)(void *owner, uint64_t places), void *owner)
{
	r->on_free = on_free;
	r->owner = owner;
}

uint64_t target_places(const struct target *t)
{
	return t->host->places;
}

bool target_enter(struct target *t, unsigned max_in_flight)
{
	bool room;

	lock_take(&t->host->lock);
	room = max_in_flight == 0 || t->host->in_flight < max_in_flight;
	if (room) {
		t->host->in_flight++;
		t->in_flight++;
	}
	lock_give(&t->host->lock);
	return room;
}

void target_leave(struct target *t)
{
	lock_take(&t->host->lock);
	must(t->in_flight > 0);
	must(t->host->in_flight > 0);
	t->in_flight--;
	t->host->in_flight--;
	lock_give(&t->host->lock);
	if (t->host->registry->on_free)
		t->host->registry->on_free(t->host->registry->owner, t->host->places);
}

unsigned target_in_flight(struct target *t)
{
	unsigned n;

	lock_take(&t->host->lock);
	n = t->in_flight;
	lock_give(&t->host->lock);
	return n;
}

unsigned target_registry_in_flight(struct target_registry *r)
{
	unsigned sum = 0;
	size_t cursor = 0;
	struct slice key;
	void *value;

	while (map_next(r->targets, &cursor, &key, &value))
		sum += target_in_flight(value);
	return sum;
}

size_t rotation_next(struct rotation *r, const unsigned *weights, const bool *open, size_t count)
{
	size_t best = SIZE_MAX;
	int64_t total = 0;

	lock_take(&r->lock);
	for (size_t i = 0; i < count; i++) {
		if (!open[i])
			continue;
		r->current[i] += weights[i];
		total += weights[i];
		if (best == SIZE_MAX || r->current[i] > r->current[best])
			best = i;
	}
	must(best != SIZE_MAX);
	r->current[best] -= total;
	lock_give(&r->lock);
	return best;
}
