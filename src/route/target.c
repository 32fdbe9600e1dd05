/* target.c: places on targets, and what is kept of them over reloads. */
#include "route/known_models.h"
#include "route/state.h"

#include "base/check.h"

#include <stdlib.h>

struct rotation {
	struct lock lock;
	int64_t current[];            /* smooth weighted round robin: how overdue each one is */
};

struct target_registry *target_registry_create(void)
{
	struct arena *arena = arena_create(0);
	struct target_registry *r = arena_new(arena, struct target_registry);

	r->arena = arena;
	r->targets = map_create(0);
	r->hosts = map_create(0);
	r->machines = map_create(0);
	r->credentials = map_create(0);
	r->accounts = map_create(0);
	r->models = map_create(0);
	return r;
}

void target_registry_free(struct target_registry *r)
{
	if (!r)
		return;
	map_free(r->targets);
	map_free(r->hosts);
	map_free(r->machines);
	map_free(r->credentials);
	map_free(r->accounts);
	map_free(r->models);
	arena_free(r->arena);
}

/* ---- finding ------------------------------------------------------------------ */

/* A changed credential is another one: its troubles are its own. Only a hash of
 * it is kept. */
static struct slice with_credential(struct arena *scratch, struct slice key,
				    const struct target_policy *t)
{
	return arena_printf(scratch, "%.*s\n%016llx", SLICE_ARG(key),
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

static struct gate *gate_find(struct target_registry *r, struct map *gates, struct slice key)
{
	struct gate *g = map_get(gates, key);

	if (g)
		return g;
	g = arena_new(r->arena, struct gate);
	lock_init(&g->lock);
	map_set(gates, key, g);
	return g;
}

static struct account *account_find(struct target_registry *r, struct slice key)
{
	struct account *a = map_get(r->accounts, key);

	if (a)
		return a;
	a = arena_new(r->arena, struct account);
	lock_init(&a->lock);
	map_set(r->accounts, key, a);
	return a;
}

static struct slice machine_key(const struct target_policy *t)
{
	return t->machine_key.len ? t->machine_key : t->host_key;
}

static struct target *target_find(struct target_registry *r, struct arena *scratch,
				  const struct target_policy *policy)
{
	struct slice at_host = with_credential(scratch, policy->host_key, policy);
	struct slice key = arena_printf(scratch, "%.*s\n%.*s", SLICE_ARG(at_host),
					SLICE_ARG(policy->model));
	struct target *t = map_get(r->targets, key);

	if (t)
		return t;
	t = arena_new(r->arena, struct target);
	lock_init(&t->lock);
	t->host = host_find(r, at_host);
	t->machine = gate_find(r, r->machines, machine_key(policy));
	t->credential = gate_find(r, r->credentials,
				  with_credential(scratch, policy->backend->name, policy));
	t->account = account_find(r, with_credential(scratch, machine_key(policy), policy));
	t->is_pattern = slice_ends(policy->model, S("*"));
	map_set(r->targets, key, t);
	return t;
}

static struct model_state *model_find(struct target_registry *r, struct slice name)
{
	struct model_state *m = map_get(r->models, name);

	if (m)
		return m;
	m = arena_new(r->arena, struct model_state);
	lock_init(&m->lock);
	map_set(r->models, name, m);
	return m;
}

/* What the config leaves open, and is generally known of a model of that name. */
static void fill_in_known(struct target_policy *t)
{
	const struct known_model *known = known_model_find(t->model);

	t->reasons = known && known->habits & KNOWN_REASONS;
	if (!known)
		return;
	if (!t->lacks_said)
		t->lacks = known->lacks;
	if (!t->context_window)
		t->context_window = known->context_window;
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
		model->state = model_find(r, model->name);
		for (size_t i = 0; i < model->target_count; i++) {
			model->targets[i].state = target_find(r, scratch, &model->targets[i]);
			fill_in_known(&model->targets[i]);
		}
	}
	arena_free(scratch);
}

/* ---- counts ------------------------------------------------------------------------ */

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

/* ---- taking turns --------------------------------------------------------------------- */

size_t rotation_next(struct rotation *r, const unsigned *weights, const bool *open, size_t count)
{
	size_t best = SIZE_MAX;
	int64_t total = 0;

	if (count == 1 && open[0])
		return 0;               /* nobody to take turns with */
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
