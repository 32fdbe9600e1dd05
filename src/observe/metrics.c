/* Counting. A sheet's numbers are written by one thread with plain adds on
 * relaxed atomics; its blocks for models and targets appear when they are first
 * needed and stay. */
#include "observe/metrics_inside.h"

#include <stdlib.h>

/* Upper bounds in ms; the last bucket, +Inf, is behind them. */
const int64_t metrics_bounds_ms[METRICS_BOUNDS] = {
	25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 20000, 30000, 60000, 120000, 300000,
};

/* ---- labels ------------------------------------------------------------------------- */

static void labels_init(struct metrics_labels *l, size_t max)
{
	l->ids = map_create(0);
	l->names = arena_array(l->arena, struct slice, max);
	l->names[0] = S("other");
	l->count = 1;
	l->max = max;
}

/* Ids start at 1 in the map, since a map holds no NULL; 0 is "other". */
static void labels_add(struct metrics *m, struct metrics_labels *l, struct slice name)
{
	lock_take(&m->lock);
	if (!map_get(l->ids, name) && l->count < l->max) {
		l->names[l->count] = arena_copy(l->arena, name);
		(void)map_set(l->ids, name, &l->names[l->count]);
		l->count++;
	}
	lock_give(&m->lock);
}

static size_t labels_find(struct metrics *m, struct metrics_labels *l, struct slice name)
{
	const struct slice *at;

	lock_take(&m->lock);
	at = map_get(l->ids, name);
	lock_give(&m->lock);
	return at ? (size_t)(at - l->names) : 0;
}

/* The same for a sheet's own thread: a lock only for names it has not met. */
static size_t known_id(struct metrics_sheet *s, struct map *met, struct metrics_labels *l,
		       struct slice name)
{
	const struct slice *at = map_get(met, name);
	size_t id;

	if (at)
		return (size_t)(at - l->names);
	id = labels_find(s->metrics, l, name);
	if (id)
		(void)map_set(met, name, &l->names[id]);
	return id;
}

struct metrics *metrics_create(void)
{
	struct metrics *m = calloc(1, sizeof *m);

	must(m != NULL);
	lock_init(&m->lock);
	m->arena = arena_create(0);
	m->models.arena = m->targets.arena = m->arena;
	labels_init(&m->models, METRICS_MODELS_MAX);
	labels_init(&m->targets, METRICS_TARGETS_MAX);
	return m;
}

static void sheet_free(struct metrics_sheet *s)
{
	for (size_t i = 0; i < METRICS_MODELS_MAX; i++)
		free(atomic_load(&s->models[i]));
	for (size_t i = 0; i < METRICS_TARGETS_MAX; i++)
		free(atomic_load(&s->targets[i]));
	map_free(s->models_met);
	map_free(s->targets_met);
	free(s);
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < atomic_load(&m->sheet_count); i++)
		sheet_free(m->sheets[i]);
	map_free(m->models.ids);
	map_free(m->targets.ids);
	arena_free(m->arena);
	lock_destroy(&m->lock);
	free(m);
}

void metrics_know_model(struct metrics *m, struct slice name)
{
	labels_add(m, &m->models, name);
}

void metrics_know_target(struct metrics *m, struct slice name)
{
	labels_add(m, &m->targets, name);
}

struct metrics_sheet *metrics_sheet_create(struct metrics *m)
{
	size_t count = atomic_load(&m->sheet_count);
	struct metrics_sheet *s = calloc(1, sizeof *s);

	must(s != NULL);
	must(count < METRICS_SHEETS_MAX);
	s->metrics = m;
	s->models_met = map_create(0);
	s->targets_met = map_create(0);
	m->sheets[count] = s;
	atomic_store(&m->sheet_count, count + 1);
	return s;
}

/* ---- counting -------------------------------------------------------------------------- */

/* One writer: a load and a store are enough. */
static void add(metrics_number *n, uint64_t more)
{
	uint64_t now = atomic_load_explicit(n, memory_order_relaxed);

	atomic_store_explicit(n, now + more, memory_order_relaxed);
}

static void set(metrics_number *n, uint64_t value)
{
	atomic_store_explicit(n, value, memory_order_relaxed);
}

static struct metrics_model_block *model_block(struct metrics_sheet *s, size_t id)
{
	struct metrics_model_block *b = atomic_load_explicit(&s->models[id], memory_order_relaxed);

	if (!b) {
		b = calloc(1, sizeof *b);
		must(b != NULL);
		atomic_store_explicit(&s->models[id], b, memory_order_release);
	}
	return b;
}

static struct metrics_target_block *target_block(struct metrics_sheet *s, size_t id)
{
	struct metrics_target_block *b = atomic_load_explicit(&s->targets[id], memory_order_relaxed);

	if (!b) {
		b = calloc(1, sizeof *b);
		must(b != NULL);
		atomic_store_explicit(&s->targets[id], b, memory_order_release);
	}
	return b;
}

static void observe(struct metrics_histogram *h, int64_t ms)
{
	size_t i = 0;

	while (i < METRICS_BOUNDS && ms > metrics_bounds_ms[i])
		i++;
	add(&h->buckets[i], 1);
	add(&h->sum_ms, ms > 0 ? (uint64_t)ms : 0);
}

static void count_attempt(struct metrics_sheet *s, const struct attempt_record *a, int64_t wall_ms)
{
	struct metrics_labels *labels = &s->metrics->targets;
	struct metrics_target_block *b =
		target_block(s, known_id(s, s->targets_met, labels, a->target));

	add(&b->attempts[a->fault], 1);
	if (a->first_token_ms >= 0)
		observe(&b->first_token, a->first_token_ms);
	if (a->fault == FAULT_NONE || a->fault == FAULT_CLIENT_GONE || a->fault == FAULT_SHUTDOWN)
		return;
	set(&b->last_fault, (uint64_t)a->fault);
	set(&b->last_fault_wall_ms, (uint64_t)(wall_ms + a->start_ms + a->took_ms));
}

static void count_tokens(struct metrics_model_block *b, const struct exchange_record *r)
{
	const int64_t counts[METRICS_TOKENS] = {
		r->input_tokens, r->output_tokens, r->cached_tokens, r->reasoning_tokens,
	};

	for (size_t i = 0; r->usage_known && i < METRICS_TOKENS; i++)
		if (counts[i] > 0)
			add(cache_use_gives(r->cache) ? &b->saved[i] : &b->tokens[i],
			    (uint64_t)counts[i]);
}

void metrics_count(struct metrics_sheet *s, struct slice model, const struct exchange_record *r)
{
	struct metrics_labels *labels = &s->metrics->models;
	struct metrics_model_block *b = model_block(s, known_id(s, s->models_met, labels, model));
	size_t class = r->status >= 100 && r->status < 600 ? (size_t)r->status / 100 : 0;

	add(&b->requests[class][r->fault], 1);
	if (r->degraded == DEGRADED_FALLBACK)
		add(&b->fallbacks, 1);
	if (r->attempt_count > (r->hedged ? 2 : 1))
		add(&b->retried, 1);
	add(&b->resumes, r->resumes);
	if (r->resumes && r->fault == FAULT_NONE)
		add(&b->resumed_whole, 1);
	if (r->hedged)
		add(&b->hedges, 1);
	if (r->hedge_won)
		add(&b->hedges_won, 1);
	if (r->cache != CACHE_USE_NO)
		add(&b->cache[r->cache], 1);
	if (r->kept)
		add(&b->kept, 1);
	if (r->degraded == DEGRADED_LAST_RESORT)
		add(&b->last_resorts, 1);
	if (r->shed != SHED_NOT)
		add(&b->shed[r->priority][r->shed], 1);
	if (r->queued_ms > 0)
		observe(&b->queued, r->queued_ms);
	count_tokens(b, r);
	observe(&b->duration, r->duration_ms);
	if (r->first_token_ms >= 0)
		observe(&b->first_token, r->first_token_ms);
	for (size_t i = 0; i < r->attempt_count; i++)
		count_attempt(s, &r->attempts[i], r->wall_ms);
}

void metrics_set_pool(struct metrics_sheet *s, const struct metrics_pool *pool)
{
	set(&s->connects, pool->connects);
	set(&s->connect_faults, pool->connect_faults);
	set(&s->reuses, pool->reuses);
	set(&s->stale_replays, pool->stale_replays);
	set(&s->junk_discards, pool->junk_discards);
	set(&s->open, pool->open);
	set(&s->idle, pool->idle);
	set(&s->exchanges, pool->exchanges);
}

/* ---- reading ------------------------------------------------------------------------------ */

uint64_t metrics_get(const metrics_number *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

struct metrics_pool metrics_pool_sum(struct metrics *m)
{
	struct metrics_pool sum = { 0 };

	for (size_t i = 0; i < atomic_load(&m->sheet_count); i++) {
		const struct metrics_sheet *s = m->sheets[i];

		sum.connects += metrics_get(&s->connects);
		sum.connect_faults += metrics_get(&s->connect_faults);
		sum.reuses += metrics_get(&s->reuses);
		sum.stale_replays += metrics_get(&s->stale_replays);
		sum.junk_discards += metrics_get(&s->junk_discards);
		sum.open += metrics_get(&s->open);
		sum.idle += metrics_get(&s->idle);
		sum.exchanges += metrics_get(&s->exchanges);
	}
	return sum;
}

static bool blames(enum fault f)
{
	enum fault_blame blame = fault_row(f)->blame;

	return blame == BLAME_TARGET || blame == BLAME_CREDENTIAL || blame == BLAME_MODEL;
}

static void add_target(struct metrics_target *sum, const struct metrics_target_block *b)
{
	int64_t at = (int64_t)metrics_get(&b->last_fault_wall_ms);

	for (enum fault f = FAULT_NONE; f < FAULT_COUNT; f++) {
		uint64_t count = metrics_get(&b->attempts[f]);

		sum->attempts += count;
		sum->good += f == FAULT_NONE ? count : 0;
		sum->blamed += blames(f) ? count : 0;
	}
	if (at > sum->last_fault_wall_ms) {
		sum->last_fault_wall_ms = at;
		sum->last_fault = (enum fault)metrics_get(&b->last_fault);
	}
}

struct metrics_target metrics_target_sum(struct metrics *m, struct slice name)
{
	struct metrics_target sum = { 0 };
	size_t id = labels_find(m, &m->targets, name);

	for (size_t i = 0; id && i < atomic_load(&m->sheet_count); i++) {
		const struct metrics_target_block *b =
			atomic_load_explicit(&m->sheets[i]->targets[id], memory_order_acquire);

		if (b)
			add_target(&sum, b);
	}
	return sum;
}

static void add_model(struct metrics_total *sum, const struct metrics_model_block *b)
{
	for (size_t class = 0; class < METRICS_CLASSES; class++)
		for (enum fault f = FAULT_NONE; f < FAULT_COUNT; f++) {
			uint64_t count = metrics_get(&b->requests[class][f]);
			bool caller = f == FAULT_CALLER || f == FAULT_CLIENT_GONE ||
				      f == FAULT_CONTEXT || f == FAULT_POLICY;

			sum->exchanges += count;
			*(f == FAULT_NONE ? &sum->good : caller ? &sum->caller : &sum->failed) += count;
		}
	sum->fallbacks += metrics_get(&b->fallbacks);
	sum->input_tokens += metrics_get(&b->tokens[0]);
	sum->output_tokens += metrics_get(&b->tokens[1]);
}

struct metrics_total metrics_total(struct metrics *m)
{
	struct metrics_total sum = { 0 };

	for (size_t i = 0; i < atomic_load(&m->sheet_count); i++)
		for (size_t id = 0; id < METRICS_MODELS_MAX; id++) {
			const struct metrics_model_block *b =
				atomic_load_explicit(&m->sheets[i]->models[id], memory_order_acquire);

			if (b)
				add_model(&sum, b);
		}
	return sum;
}
