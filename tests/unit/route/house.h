/* house.h: models, backends and targets for tests, written as rows. */
#ifndef BACKSTAY_TESTS_ROUTE_HOUSE_H
#define BACKSTAY_TESTS_ROUTE_HOUSE_H

#include "route/plan.h"
#include "route/target.h"

#include <string.h>

#define HOUSE_TARGETS_MAX 8

struct house {
	struct arena *arena;
	struct target_registry *registry;
	struct backend_policy backends[HOUSE_TARGETS_MAX];
	struct target_policy targets[HOUSE_TARGETS_MAX];
	size_t target_count;
	struct model_policy models[4];
	size_t model_count;
	const struct model_policy *fallbacks[4][4];
};

static inline void house_open(struct house *h)
{
	memset(h, 0, sizeof *h);
	h->arena = arena_create(0);
	h->registry = target_registry_create();
}

static inline void house_close(struct house *h)
{
	target_registry_free(h->registry);
	arena_free(h->arena);
}

/* A target `name` on a backend of its own with one URL. */
static inline struct target_policy *house_target(struct house *h, const char *name, unsigned priority,
						 unsigned weight, unsigned max_in_flight)
{
	struct backend_policy *b = &h->backends[h->target_count];
	struct target_policy *t = &h->targets[h->target_count++];

	b->name = slice_of(name);
	b->max_in_flight = max_in_flight;
	*t = (struct target_policy){ .name = slice_of(name), .backend = b, .host_key = b->name,
				     .model = S("m"), .weight = weight, .priority = priority };
	return t;
}

/* A model over the `count` targets made last. */
static inline struct model_policy *house_model(struct house *h, const char *name, size_t count)
{
	struct model_policy *m = &h->models[h->model_count];

	*m = (struct model_policy){
		.name = slice_of(name),
		.targets = &h->targets[h->target_count - count],
		.target_count = count,
		.fallbacks = h->fallbacks[h->model_count],
		.retry = { .max_attempts = 4, .patience_ms = 3000, .fast_ms = 1000 },
	};
	h->model_count++;
	return m;
}

static inline void house_fallback(struct house *h, size_t from, size_t to)
{
	h->fallbacks[from][h->models[from].fallback_count++] = &h->models[to];
}

static inline void house_bind(struct house *h)
{
	target_registry_bind(h->registry, h->arena, h->models, h->model_count);
}

#endif
