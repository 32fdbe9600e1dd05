#include "observe/pulse.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

struct pulse {
	struct lock lock;
	int64_t newest;                       /* bucket number of the last count */
	uint32_t counts[PULSE_BUCKETS][PULSE_END_COUNT];
	struct map *models, *lanes;
	struct arena *arena;
};

const char *pulse_end_name(enum pulse_end e)
{
	static const char *const names[] = {
#define AS_NAME(id, name) [PULSE_##id] = name,
		PULSE_ENDS(AS_NAME)
#undef AS_NAME
	};

	return names[e];
}

/* Tries that were needed although they did not serve. */
static bool needed_help(const struct exchange_record *r)
{
	for (size_t i = 0; i < r->attempt_count; i++)
		if (r->attempts[i].fault != FAULT_NONE && r->attempts[i].fault != FAULT_OUTRUN)
			return true;
	return r->resumes > 0 || r->hedge_won;
}

bool pulse_had_trouble(const struct exchange_record *r)
{
	return r->fault != FAULT_NONE || r->degraded != DEGRADED_NO || needed_help(r);
}

enum pulse_end pulse_end_of(const struct exchange_record *r)
{
	if (r->fault != FAULT_NONE)
		return fault_row(r->fault)->blame == BLAME_NOBODY && (r->fault == FAULT_CLIENT_GONE ||
				r->status < 500) ? PULSE_CALLER : PULSE_FAILED;
	if (r->degraded != DEGRADED_NO && r->degraded != DEGRADED_RESUMED)
		return PULSE_DEGRADED;
	if (r->cache == CACHE_USE_HIT || r->cache == CACHE_USE_JOINED)
		return PULSE_CACHED;
	return needed_help(r) ? PULSE_RESCUED : PULSE_GOOD;
}

struct pulse *pulse_create(void)
{
	struct pulse *p = calloc(1, sizeof *p);

	must(p != NULL);
	lock_init(&p->lock);
	p->models = map_create(0);
	p->lanes = map_create(0);
	p->arena = arena_create(0);
	return p;
}

void pulse_free(struct pulse *p)
{
	if (!p)
		return;
	map_free(p->models);
	map_free(p->lanes);
	arena_free(p->arena);
	lock_destroy(&p->lock);
	free(p);
}

/* Buckets that have passed since are empty. Under the lock. */
static void move_on(struct pulse *p, mono_ms now)
{
	int64_t bucket = now / PULSE_BUCKET_MS;

	if (bucket - p->newest >= PULSE_BUCKETS) {
		memset(p->counts, 0, sizeof p->counts);
		p->newest = bucket;
	}
	while (p->newest < bucket) {
		p->newest++;
		memset(p->counts[p->newest % PULSE_BUCKETS], 0, sizeof p->counts[0]);
	}
}

static struct pulse_model *model_of(struct pulse *p, struct slice name)
{
	struct pulse_model *m = map_get(p->models, name);

	if (m || map_count(p->models) >= PULSE_MODELS_MAX)
		return m;
	m = arena_new(p->arena, struct pulse_model);
	map_set(p->models, name, m);
	return m;
}

void pulse_count(struct pulse *p, struct slice model, const struct exchange_record *r, mono_ms now)
{
	enum pulse_end end = pulse_end_of(r);
	struct pulse_model *m;

	lock_take(&p->lock);
	move_on(p, now);
	p->counts[p->newest % PULSE_BUCKETS][end]++;
	m = model.len ? model_of(p, model) : NULL;
	if (m) {
		m->ends[end]++;
		m->input_tokens += r->usage_known ? (uint64_t)r->input_tokens : 0;
		m->output_tokens += r->usage_known ? (uint64_t)r->output_tokens : 0;
	}
	lock_give(&p->lock);
}

void pulse_look(struct pulse *p, mono_ms now, struct pulse_view *out)
{
	lock_take(&p->lock);
	move_on(p, now);
	for (int64_t i = 0; i < PULSE_BUCKETS; i++)
		memcpy(out->counts[i], p->counts[(p->newest + 1 + i) % PULSE_BUCKETS],
		       sizeof out->counts[i]);
	lock_give(&p->lock);
}

void pulse_model(struct pulse *p, struct slice model, struct pulse_model *out)
{
	const struct pulse_model *m;

	lock_take(&p->lock);
	m = map_get(p->models, model);
	*out = m ? *m : (struct pulse_model){ 0 };
	lock_give(&p->lock);
}

#define LANE_KEY_MAX 640

/* Both names with a byte between them that no name has; empty: too long. */
static struct slice lane_key(struct slice model, struct slice target, char room[static LANE_KEY_MAX])
{
	if (model.len + 1 + target.len > LANE_KEY_MAX)
		return SLICE_NONE;
	if (model.len)
		memcpy(room, model.at, model.len);
	room[model.len] = '\n';
	if (target.len)
		memcpy(room + model.len + 1, target.at, target.len);
	return (struct slice){ room, model.len + 1 + target.len };
}

void pulse_try(struct pulse *p, struct slice model, struct slice target, bool fault)
{
	char room[LANE_KEY_MAX];
	struct slice key = lane_key(model, target, room);
	struct pulse_lane *l;

	if (!key.len)
		return;
	lock_take(&p->lock);
	l = map_get(p->lanes, key);
	if (!l && map_count(p->lanes) < PULSE_LANES_MAX) {
		l = arena_new(p->arena, struct pulse_lane);
		map_set(p->lanes, key, l);
	}
	if (l) {
		l->tries++;
		l->faults += fault;
	}
	lock_give(&p->lock);
}

struct pulse_lane pulse_lane(struct pulse *p, struct slice model, struct slice target)
{
	char room[LANE_KEY_MAX];
	struct slice key = lane_key(model, target, room);
	struct pulse_lane none = { 0 }, *l;

	lock_take(&p->lock);
	l = key.len ? map_get(p->lanes, key) : NULL;
	if (l)
		none = *l;
	lock_give(&p->lock);
	return none;
}
