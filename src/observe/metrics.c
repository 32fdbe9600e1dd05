/* Counting. A sheet's numbers are written by one thread with plain adds on
 * relaxed atomics; its blocks for models, targets and combinations of them appear
 * when they are first needed and stay. */
#include "observe/metrics_inside.h"

#include <stdlib.h>
#include <string.h>

#define JOINED_MAX 1024               /* of the names of a combination */

/* ---- labels ------------------------------------------------------------------------- */

static const struct { enum metric_scope scope; size_t max; bool open; } labelled[METRICS_LABELLED] = {
	{ SCOPE_MODEL, METRICS_MODELS_MAX, false },
	{ SCOPE_TARGET, METRICS_TARGETS_MAX, false },
	{ SCOPE_SPEND, METRICS_SPENDS_MAX, true },
};

size_t metrics_labelled(enum metric_scope s)
{
	size_t i = 0;

	while (i < METRICS_LABELLED && labelled[i].scope != s)
		i++;
	must(i < METRICS_LABELLED);
	return i;
}

/* Ids start at 1 in the map, since a map holds no NULL; 0 is "other". The lock is
 * held. */
static size_t labels_add(struct metrics_labels *l, struct slice name)
{
	if (l->count >= l->max)
		return 0;
	l->names[l->count] = arena_copy(l->arena, name);
	(void)map_set(l->ids, name, &l->names[l->count]);
	return l->count++;
}

static size_t labels_find(const struct metrics_labels *l, struct slice name)
{
	const struct slice *at = map_get(l->ids, name);

	return at ? (size_t)(at - l->names) : 0;
}

static void labels_know(struct metrics *m, enum metric_scope s, struct slice name)
{
	struct metrics_labels *l = &m->labels[metrics_labelled(s)];

	lock_take(&m->lock);
	if (!labels_find(l, name))
		(void)labels_add(l, name);
	lock_give(&m->lock);
}

size_t metrics_find(struct metrics *m, enum metric_scope s, struct slice name)
{
	size_t id;

	lock_take(&m->lock);
	id = labels_find(&m->labels[metrics_labelled(s)], name);
	lock_give(&m->lock);
	return id;
}

size_t metrics_label_count(struct metrics *m, enum metric_scope s)
{
	size_t count;

	lock_take(&m->lock);
	count = m->labels[metrics_labelled(s)].count;
	lock_give(&m->lock);
	return count;
}

/* The same for a sheet's own thread: a lock only for names it has not met. */
static size_t known_id(struct metrics_sheet *s, size_t which, struct slice name)
{
	const struct slice *at = map_get(s->met[which], name);
	struct metrics_labels *l = &s->metrics->labels[which];
	size_t id;

	if (at)
		return (size_t)(at - l->names);
	lock_take(&s->metrics->lock);
	id = labels_find(l, name);
	if (!id && l->open)
		id = labels_add(l, name);
	lock_give(&s->metrics->lock);
	if (id)
		(void)map_set(s->met[which], name, &l->names[id]);
	return id;
}

/* ---- life ------------------------------------------------------------------------------ */

struct metrics *metrics_create(void)
{
	struct metrics *m = calloc(1, sizeof *m);

	must(m != NULL);
	lock_init(&m->lock);
	m->arena = arena_create(0);
	for (size_t i = 0; i < METRICS_LABELLED; i++) {
		struct metrics_labels *l = &m->labels[i];

		l->arena = m->arena;
		l->ids = map_create(0);
		l->max = labelled[i].max;
		l->open = labelled[i].open;
		l->names = arena_array(l->arena, struct slice, l->max);
		l->names[0] = labelled[i].scope == SCOPE_SPEND ? S("other\0other\0other") : S("other");
		l->count = 1;
	}
	return m;
}

static void sheet_free(struct metrics_sheet *s)
{
	for (size_t i = 0; i < METRICS_LABELLED; i++) {
		for (size_t id = 0; id < labelled[i].max; id++)
			free(atomic_load(&s->blocks[i][id]));
		free(s->blocks[i]);
		map_free(s->met[i]);
	}
	free(s);
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < atomic_load(&m->sheet_count); i++)
		sheet_free(m->sheets[i]);
	for (size_t i = 0; i < METRICS_LABELLED; i++)
		map_free(m->labels[i].ids);
	arena_free(m->arena);
	lock_destroy(&m->lock);
	free(m);
}

void metrics_know_model(struct metrics *m, struct slice name)
{
	labels_know(m, SCOPE_MODEL, name);
}

void metrics_know_target(struct metrics *m, struct slice name)
{
	labels_know(m, SCOPE_TARGET, name);
}

struct metrics_sheet *metrics_sheet_create(struct metrics *m)
{
	size_t count = atomic_load(&m->sheet_count);
	struct metrics_sheet *s = calloc(1, sizeof *s);

	must(s != NULL);
	must(count < METRICS_SHEETS_MAX);
	s->metrics = m;
	for (size_t i = 0; i < METRICS_LABELLED; i++) {
		s->met[i] = map_create(0);
		s->blocks[i] = calloc(labelled[i].max, sizeof *s->blocks[i]);
		must(s->blocks[i] != NULL);
	}
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

static void add_positive(metrics_number *n, int64_t more)
{
	if (more > 0)
		add(n, (uint64_t)more);
}

static struct metrics_block *block_of(struct metrics_sheet *s, enum metric_scope scope,
				      struct slice name)
{
	size_t which = metrics_labelled(scope), id = known_id(s, which, name);
	metrics_block_slot *slot = &s->blocks[which][id];
	struct metrics_block *b = atomic_load_explicit(slot, memory_order_relaxed);

	if (!b) {
		b = calloc(1, sizeof *b + metric_scope_cells(scope) * sizeof *b->cells);
		must(b != NULL);
		atomic_store_explicit(slot, b, memory_order_release);
	}
	return b;
}

/* `cells`: those of one histogram. */
static void observe(metrics_number *cells, enum metric_scale scale, int64_t us)
{
	const int64_t *bounds = metric_bounds_us(scale);
	size_t i = 0;

	while (i < METRICS_BOUNDS && us > bounds[i])
		i++;
	add(&cells[i], 1);
	add_positive(&cells[METRICS_BOUNDS + 1], us);
}

static void observe_ms(metrics_number *cells, enum metric_scale scale, int64_t ms)
{
	observe(cells, scale, ms < INT64_MAX / 1000 ? ms * 1000 : INT64_MAX);
}

/* A name as it is told: itself where it is a label, else "other". */
static struct slice known_name(struct metrics_sheet *s, enum metric_scope scope, struct slice name)
{
	size_t which = metrics_labelled(scope);

	return s->metrics->labels[which].names[known_id(s, which, name)];
}

static void count_spent(struct metrics_sheet *s, struct metrics_block *of_target, struct slice model,
			struct slice group, const struct attempt_record *a)
{
	const struct spent *u = &a->spent;
	char joined[JOINED_MAX];
	struct metrics_block *b;
	struct slice target;
	size_t len;

	if (u->input_tokens <= 0 && u->output_tokens <= 0)
		return;
	target = known_name(s, SCOPE_TARGET, a->target);
	len = model.len + target.len + group.len + 2;
	if (len <= sizeof joined) {
		char *at = joined;

		memcpy(at, model.at, model.len);
		at += model.len;
		*at++ = '\0';
		memcpy(at, target.at, target.len);
		at += target.len;
		*at++ = '\0';
		if (group.len)
			memcpy(at, group.at, group.len);
	} else {
		len = 0;
	}
	b = block_of(s, SCOPE_SPEND, (struct slice){ joined, len });
	add_positive(&b->cells[AT_SPEND_TOKENS], u->input_tokens);
	add_positive(&b->cells[AT_SPEND_TOKENS + 1], u->output_tokens);
	add_positive(&b->cells[AT_SPEND_TOKENS + 2], u->cached_tokens);
	add_positive(&b->cells[AT_SPEND_TOKENS + 3], u->reasoning_tokens);
	add_positive(&b->cells[AT_SPEND_COST], u->cost_nano_usd);
	if (!u->told)
		add(&of_target->cells[AT_TARGET_UNTOLD], 1);
	if (!u->priced)
		add_positive(&of_target->cells[AT_TARGET_UNPRICED], u->input_tokens + u->output_tokens);
}

static void count_attempt(struct metrics_sheet *s, struct slice model, const struct exchange_record *r,
			  const struct attempt_record *a)
{
	struct metrics_block *b = block_of(s, SCOPE_TARGET, a->target);

	add(&b->cells[AT_TARGET_ATTEMPTS + a->fault], 1);
	if (a->fault != FAULT_NONE && a->fault != FAULT_CLIENT_GONE && a->fault != FAULT_OUTRUN) {
		set(&b->last_fault, a->fault);
		set(&b->last_fault_wall_ms, (uint64_t)(r->wall_ms + a->start_ms + a->took_ms));
	}
	if (a->first_token_ms >= 0)
		observe_ms(&b->cells[AT_TARGET_FIRST_TOKEN], SCALE_LONG, a->first_token_ms);
	count_spent(s, b, model, r->client_group, a);
}

/* What befell a request on its way to an answer. */
static void count_rescues(metrics_number *cells, const struct exchange_record *r)
{
	size_t tries = r->attempt_count, plain = tries;

	for (size_t i = 0; i < tries; i++) {
		const struct attempt_record *a = &r->attempts[i];
		size_t way;

		if (!a->resumes)
			continue;
		way = metric_way(slice_of(a->kind));
		plain--;
		add(&cells[AT_MODEL_RESUMES + way * WORDS_OF_RESUMED + (a->went_on ? 0 : 1)], 1);
	}
	if (r->hedged) {
		plain--;
		add(&cells[AT_MODEL_HEDGES + (r->hedge_won ? 0 : 1)], 1);
	}
	if (tries > (r->hedged ? 2 : 1))
		add(&cells[AT_MODEL_RETRIED], 1);
	if (plain > 1)
		add(&cells[AT_MODEL_RETRIES], plain - 1);
	if (r->resumes && r->fault == FAULT_NONE)
		add(&cells[AT_MODEL_RESUMED_WHOLE], 1);
	if (r->degraded == DEGRADED_FALLBACK)
		add(&cells[AT_MODEL_FALLBACKS], 1);
	add(&cells[AT_MODEL_DEGRADED + r->degraded], 1);
	if (r->committed && r->fault != FAULT_NONE && r->fault != FAULT_CLIENT_GONE)
		add(&cells[AT_MODEL_BROKEN], 1);
}

/* What kept answers had to do with it. The tokens of one that was given again
 * are the original's. */
static void count_cache(metrics_number *cells, const struct exchange_record *r)
{
	if (r->cache != CACHE_USE_NO)
		add(&cells[AT_MODEL_CACHE + r->cache * CACHE_TIER_COUNT + r->cache_tier], 1);
	if (r->kept)
		add(&cells[AT_MODEL_KEPT], 1);
	if (r->degraded == DEGRADED_LAST_RESORT)
		add(&cells[AT_MODEL_LAST_RESORTS], 1);
	if (!cache_use_gives(r->cache) || !r->usage_known)
		return;
	add_positive(&cells[AT_MODEL_SAVED], r->input_tokens);
	add_positive(&cells[AT_MODEL_SAVED + 1], r->output_tokens);
	add_positive(&cells[AT_MODEL_SAVED + 2], r->cached_tokens);
	add_positive(&cells[AT_MODEL_SAVED + 3], r->reasoning_tokens);
}

/* Mean time for each token behind the first; -1 where it cannot be told. */
static int64_t per_token_us(const struct exchange_record *r)
{
	const struct attempt_record *last;

	if (!r->stream || r->fault != FAULT_NONE || r->first_token_ms < 0 || r->resumes ||
	    !r->attempt_count)
		return -1;
	last = &r->attempts[r->attempt_count - 1];
	if (last->fault != FAULT_NONE || last->spent.output_tokens < 2)
		return -1;
	return (r->duration_ms - r->first_token_ms) * 1000 / (last->spent.output_tokens - 1);
}

static void count_times(metrics_number *cells, const struct exchange_record *r)
{
	int64_t per_token = per_token_us(r);

	observe_ms(&cells[AT_MODEL_DURATION], SCALE_LONG, r->duration_ms);
	if (r->first_token_ms >= 0)
		observe_ms(&cells[AT_MODEL_FIRST_TOKEN], SCALE_LONG, r->first_token_ms);
	if (per_token >= 0)
		observe(&cells[AT_MODEL_PER_TOKEN], SCALE_GAP, per_token);
	if (r->queued_ms > 0)
		observe_ms(&cells[AT_MODEL_QUEUED], SCALE_LONG, r->queued_ms);
	if (r->overhead_us >= 0)
		observe(&cells[AT_MODEL_OVERHEAD], SCALE_SHORT, r->overhead_us);
}

void metrics_count(struct metrics_sheet *s, struct slice model, const struct exchange_record *r)
{
	struct metrics_block *b = block_of(s, SCOPE_MODEL, model);
	size_t class = r->status >= 100 && r->status < 600 ? (size_t)r->status / 100 : 0;
	struct slice known = known_name(s, SCOPE_MODEL, model);

	add(&b->cells[AT_MODEL_REQUESTS + class * FAULT_COUNT + r->fault], 1);
	count_rescues(b->cells, r);
	count_cache(b->cells, r);
	if (r->shed != SHED_NOT)
		add(&b->cells[AT_MODEL_SHED + r->priority * SHED_COUNT + r->shed], 1);
	count_times(b->cells, r);
	for (size_t i = 0; i < r->attempt_count; i++)
		count_attempt(s, known, r, &r->attempts[i]);
}

struct metrics_block *metrics_gaps_of(struct metrics_sheet *s, struct slice model)
{
	return block_of(s, SCOPE_MODEL, model);
}

void metrics_note_gap(struct metrics_block *gaps, int64_t ms)
{
	observe_ms(&gaps->cells[AT_MODEL_GAPS], SCALE_GAP, ms);
}

void metrics_count_look(struct metrics_sheet *s, struct slice target, enum metric_looked result)
{
	add(&block_of(s, SCOPE_TARGET, target)->cells[AT_TARGET_PROBES + result], 1);
}

void metrics_add(struct metrics_sheet *s, size_t cell, uint64_t more)
{
	must(cell < AT_WORKER_CELLS);
	add(&s->worker[cell], more);
}

void metrics_set(struct metrics_sheet *s, size_t cell, uint64_t value)
{
	must(cell < AT_WORKER_CELLS);
	set(&s->worker[cell], value);
}

void metrics_observe(struct metrics_sheet *s, size_t cell, enum metric_scale scale, int64_t us)
{
	must(cell + CELLS_OF_HISTOGRAM <= AT_WORKER_CELLS);
	observe(&s->worker[cell], scale, us);
}

void metrics_set_pool(struct metrics_sheet *s, const struct metrics_pool *pool)
{
	set(&s->worker[AT_WORKER_CONNECTS], pool->connects);
	set(&s->worker[AT_WORKER_CONNECT_FAULTS], pool->connect_faults);
	set(&s->worker[AT_WORKER_REUSES], pool->reuses);
	set(&s->worker[AT_WORKER_STALE_REPLAYS], pool->stale_replays);
	set(&s->worker[AT_WORKER_JUNK_DISCARDS], pool->junk_discards);
	set(&s->worker[AT_WORKER_OPEN], pool->open);
	set(&s->worker[AT_WORKER_IDLE], pool->idle);
	set(&s->worker[AT_WORKER_EXCHANGES], pool->exchanges);
}
