#include "route/plan.h"

#include "base/check.h"
#include "resilience/backoff.h"
#include "route/target.h"

#include <limits.h>

/* A pause before asking the same target again when it gave no hint. */
#define AGAIN_BASE_MS 100
#define AGAIN_CAP_MS 500
/* On one target within one exchange; one that paces us is asked more often where
 * nothing else is left. */
#define AGAIN_TRIES_MAX 2

struct candidate {
	const struct target_policy *target;
	struct slice upstream_model;
	unsigned tries;
	bool running, never_again;
	enum fault fault;             /* how the last try ended */
	int64_t took_ms;
	mono_ms again_at;             /* when it may be asked again, as far as the fault allows */
};

/* The asked model, or one fallback model: a run of candidates. */
struct stage {
	const struct model_policy *model;
	size_t first;                 /* its targets' candidates: first .. first + target_count */
	struct stage *next;
};

struct plan {
	struct stage *stages, **last;
	struct candidate *candidates;
	size_t count;
	unsigned *weights;            /* scratch of choose(), as long as the largest model */
	bool *open;
	mono_ms deadline;
	unsigned entered;             /* tries so far */
	bool over;                    /* a fault that nobody else can mend */
};

/* ---- making ----------------------------------------------------------------- */

static bool plan_knows(const struct plan *p, const struct model_policy *model)
{
	for (const struct stage *s = p->stages; s; s = s->next)
		if (s->model == model)
			return true;
	return false;
}

/* Depth first: a fallback's own fallbacks come right behind it. */
static void add_stages(struct arena *arena, struct plan *p, const struct model_policy *model)
{
	struct stage *s;

	if (plan_knows(p, model))
		return;
	s = arena_new(arena, struct stage);
	s->model = model;
	s->first = p->count;
	p->count += model->target_count;
	*p->last = s;
	p->last = &s->next;
	for (size_t i = 0; i < model->fallback_count; i++)
		add_stages(arena, p, model->fallbacks[i]);
}

/* A '*' at the end is the part that the asked pattern's star stood for ("gpt-*"
 * for a pattern of that name is the name asked for). A fallback that is a
 * pattern was not asked by a name of its own: its star is the whole asked name. */
static struct slice upstream_name(struct arena *arena, const struct target_policy *t,
				  struct slice asked, struct slice star, bool is_asked_model)
{
	struct slice part = is_asked_model ? star : asked;
	struct slice fixed = t->model;

	if (!slice_ends(fixed, S("*")))
		return fixed;
	fixed.len--;
	if (fixed.len == 0)
		return part;
	return arena_printf(arena, "%.*s%.*s", SLICE_ARG(fixed), SLICE_ARG(part));
}

static void fill_stage(struct arena *arena, struct plan *p, const struct stage *s,
		       struct slice asked, struct slice star)
{
	for (size_t i = 0; i < s->model->target_count; i++) {
		struct candidate *c = &p->candidates[s->first + i];

		c->target = &s->model->targets[i];
		c->upstream_model = upstream_name(arena, c->target, asked, star, s == p->stages);
	}
}

struct plan *plan_create(struct arena *arena, const struct model_policy *model, struct slice asked,
			 struct slice star, mono_ms deadline)
{
	struct plan *p = arena_new(arena, struct plan);
	size_t widest = 1;

	p->last = &p->stages;
	p->deadline = deadline;
	add_stages(arena, p, model);
	p->candidates = arena_array(arena, struct candidate, p->count);
	for (const struct stage *s = p->stages; s; s = s->next) {
		fill_stage(arena, p, s, asked, star);
		if (s->model->target_count > widest)
			widest = s->model->target_count;
	}
	p->weights = arena_array(arena, unsigned, widest);
	p->open = arena_array(arena, bool, widest);
	return p;
}

/* ---- choosing among untried targets ------------------------------------------- */

static size_t least_in_flight(const struct candidate *c, const unsigned *weights, const bool *open,
			      size_t count, uint64_t random)
{
	size_t best = SIZE_MAX;
	uint64_t best_load = 0, best_weight = 1;

	/* Starting anywhere breaks ties fairly. */
	for (size_t n = 0, i = (size_t)(random % count); n < count; n++, i = (i + 1) % count) {
		uint64_t load;

		if (!open[i])
			continue;
		load = (uint64_t)target_in_flight(c[i].target->state) + 1;
		if (best == SIZE_MAX || load * best_weight < best_load * weights[i]) {
			best = i;
			best_load = load;
			best_weight = weights[i];
		}
	}
	must(best != SIZE_MAX);
	return best;
}

/* Opens the untried targets of the best priority above `above`; gives that
 * priority, 0 if there are none. */
static unsigned open_priority(struct plan *p, const struct stage *s, unsigned above)
{
	const struct candidate *c = &p->candidates[s->first];
	unsigned priority = 0;

	for (size_t i = 0; i < s->model->target_count; i++) {
		unsigned own = c[i].target->priority;

		if (c[i].tries == 0 && own > above && (priority == 0 || own < priority))
			priority = own;
	}
	for (size_t i = 0; i < s->model->target_count; i++) {
		p->open[i] = c[i].tries == 0 && priority != 0 && c[i].target->priority == priority;
		p->weights[i] = c[i].target->weight;
	}
	return priority;
}

static bool any_open(const struct plan *p, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (p->open[i])
			return true;
	return false;
}

static void fill_pick(const struct plan *p, const struct stage *s, size_t candidate, mono_ms at,
		      struct pick *pick)
{
	const struct candidate *c = &p->candidates[candidate];

	*pick = (struct pick){
		.target = c->target,
		.model = s->model,
		.upstream_model = c->upstream_model,
		.is_fallback = s != p->stages,
		.at = at,
		.candidate = candidate,
	};
}

static bool enter(struct plan *p, struct candidate *c)
{
	must(!c->running);
	if (!target_enter(c->target->state, c->target->backend->max_in_flight))
		return false;
	c->running = true;
	c->tries++;
	p->entered++;
	return true;
}

/* An untried target of this stage: best priority first, spilling over to the
 * next one where all are full. */
static bool next_fresh(struct plan *p, const struct stage *s, mono_ms now, uint64_t random,
		       bool *saw_full, struct pick *pick)
{
	struct candidate *c = &p->candidates[s->first];
	size_t count = s->model->target_count;
	unsigned priority = 0;

	while ((priority = open_priority(p, s, priority)) != 0) {
		while (any_open(p, count)) {
			size_t i = s->model->balance == BALANCE_LEAST_IN_FLIGHT
				? least_in_flight(c, p->weights, p->open, count, random)
				: rotation_next(s->model->rotation, p->weights, p->open, count);

			if (enter(p, &c[i])) {
				fill_pick(p, s, s->first + i, now, pick);
				return true;
			}
			p->open[i] = false;
			*saw_full = true;
		}
	}
	return false;
}

/* ---- asking the same target again ----------------------------------------------- */

/* When this candidate may be asked again; MONO_NEVER: not at all. */
static mono_ms again_at(const struct candidate *c, const struct retry_policy *retry)
{
	if (c->tries == 0 || c->running || c->never_again)
		return MONO_NEVER;
	switch (fault_row(c->fault)->again) {
	case AGAIN_NEVER:
		return MONO_NEVER;
	case AGAIN_FRESH:
	case AGAIN_IF_LAST:
		return c->tries < AGAIN_TRIES_MAX ? c->again_at : MONO_NEVER;
	case AGAIN_IF_FAST:
		return c->tries < AGAIN_TRIES_MAX && c->took_ms <= retry->fast_ms ? c->again_at
										  : MONO_NEVER;
	case AGAIN_AFTER_HINT:
		return c->again_at;
	}
	never("an unknown rule for asking again");
}

/* The candidate of a stage that may be asked again first, not after `latest`,
 * of those with fewer than `tries_max` tries. */
static size_t soonest_again(const struct plan *p, const struct stage *s, mono_ms latest,
			    unsigned tries_max, mono_ms *at)
{
	size_t best = SIZE_MAX;

	for (size_t i = s->first; i < s->first + s->model->target_count; i++) {
		const struct candidate *c = &p->candidates[i];
		mono_ms own = again_at(c, &s->model->retry);

		if (c->tries < tries_max && own <= latest && own < p->deadline &&
		    (best == SIZE_MAX || own < *at)) {
			best = i;
			*at = own;
		}
	}
	return best;
}

static bool next_again(struct plan *p, const struct stage *s, mono_ms now, mono_ms latest,
		       unsigned tries_max, bool *saw_full, struct pick *pick)
{
	mono_ms at = MONO_NEVER;
	size_t i = soonest_again(p, s, latest, tries_max, &at);

	if (i == SIZE_MAX)
		return false;
	if (at > now) {
		fill_pick(p, s, i, at, pick);
		return true;
	}
	if (!enter(p, &p->candidates[i])) {
		*saw_full = true;
		return false;
	}
	fill_pick(p, s, i, now, pick);
	return true;
}

static bool is_untouched(const struct plan *p, const struct stage *s)
{
	for (size_t i = s->first; i < s->first + s->model->target_count; i++)
		if (p->candidates[i].tries)
			return false;
	return s->model->target_count > 0;
}

/* Asking the same target again must not use up the tries that the fallback
 * models behind it need: each keeps one. */
static bool may_ask_again(const struct plan *p, const struct stage *s)
{
	unsigned most = p->stages->model->retry.max_attempts, kept = 0;

	for (const struct stage *later = s->next; later; later = later->next)
		kept += is_untouched(p, later);
	return kept == 0 || p->entered + kept < most;
}

/* ---- the plan's face --------------------------------------------------------------- */

enum plan_answer plan_next(struct plan *p, mono_ms now, uint64_t random, struct pick *pick)
{
	bool saw_full = false;

	if (p->over)
		return PLAN_SPENT;
	for (const struct stage *s = p->stages; s; s = s->next) {
		if (next_fresh(p, s, now, random, &saw_full, pick))
			return PLAN_GO;
		if (may_ask_again(p, s) &&
		    next_again(p, s, now, mono_after(now, s->model->retry.patience_ms),
			       AGAIN_TRIES_MAX, &saw_full, pick))
			return PLAN_GO;
	}
	/* Nothing else is left: a longer pause is better than an error. */
	for (const struct stage *s = p->stages; s; s = s->next)
		if (next_again(p, s, now, MONO_NEVER - 1, UINT_MAX, &saw_full, pick))
			return PLAN_GO;
	return saw_full ? PLAN_FULL : PLAN_SPENT;
}

bool plan_enter(struct plan *p, const struct pick *pick)
{
	return enter(p, &p->candidates[pick->candidate]);
}

static void leave(struct candidate *c)
{
	must(c->running);
	c->running = false;
	target_leave(c->target->state);
}

void plan_report(struct plan *p, const struct pick *pick, mono_ms now, uint64_t random,
		 enum fault fault, int64_t took_ms, int64_t hint_ms, bool never_again)
{
	struct candidate *c = &p->candidates[pick->candidate];
	const struct fault_row *row = fault_row(fault);

	leave(c);
	c->fault = fault;
	c->took_ms = took_ms;
	c->never_again = never_again;
	if (hint_ms < 0)
		hint_ms = row->again == AGAIN_FRESH ? 0
			: backoff_full_jitter_ms(AGAIN_BASE_MS, AGAIN_CAP_MS, c->tries, random);
	c->again_at = mono_after(now, hint_ms);
	if (row->elsewhere == ELSEWHERE_NO || row->elsewhere == ELSEWHERE_LARGER)
		p->over = true;
}

void plan_done(struct plan *p, const struct pick *pick)
{
	leave(&p->candidates[pick->candidate]);
}

bool plan_has_other(struct plan *p, const struct pick *current)
{
	if (p->over)
		return false;
	for (const struct stage *s = p->stages; s; s = s->next) {
		for (size_t i = s->first; i < s->first + s->model->target_count; i++) {
			if (i == current->candidate)
				continue;
			if (p->candidates[i].tries == 0 ||
			    again_at(&p->candidates[i], &s->model->retry) < p->deadline)
				return true;
		}
	}
	return false;
}

mono_ms plan_retry_at(const struct plan *p)
{
	mono_ms at = MONO_NEVER;

	for (size_t i = 0; i < p->count; i++) {
		const struct candidate *c = &p->candidates[i];

		if (c->tries && fault_row(c->fault)->blame == BLAME_PACE)
			at = mono_earlier(at, c->again_at);
	}
	return at;
}
