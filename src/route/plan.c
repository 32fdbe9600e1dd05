#include "route/plan.h"

#include "base/check.h"
#include "resilience/backoff.h"
#include "route/choose.h"
#include "route/known_models.h"
#include "route/target.h"

#include <limits.h>

/* A pause before asking the same target again when it gave no hint. */
#define AGAIN_BASE_MS 100
#define AGAIN_CAP_MS 500
/* On one target within one exchange; one that paces us is asked more often where
 * nothing else is left. */
#define AGAIN_TRIES_MAX 2
/* How often one looks for what others hear from a target, while waiting for it. */
#define AWAIT_MS 50

struct candidate {
	const struct target_policy *target;
	struct slice upstream_model;
	unsigned tries;
	bool running, never_again;
	bool unfit;                   /* cannot take this request */
	bool too_small;               /* its window, as far as is known or guessed */
	bool dear;                    /* a cheaper one is wanted, as far as is known */
	bool reasons;
	bool passed_over;             /* in this search: it was full */
	bool paid;                    /* the running try took a token of the retry budget */
	struct target_look look;      /* of the last survey */
	struct target_visit visit;
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
	bool *open, *least;
	const struct target_look **looks;
	mono_ms deadline;
	unsigned begun;               /* tries so far */
	uint64_t full;                /* places that the last plan_next() found full */
	bool full_is_good;            /* one of them is in good standing: worth waiting for */
	bool over;                    /* a fault that nobody else can mend */
	int64_t dearest;              /* what is wanted at most at present */
	bool awaiting;                /* what others hear, since ... */
	mono_ms awaiting_since;
	struct plan_wants wants;
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

static bool thinks(struct slice model)
{
	const struct known_model *known = known_model_find(model);

	return known && known->habits & KNOWN_REASONS;
}

static void fill_stage(struct arena *arena, struct plan *p, const struct stage *s,
		       struct slice asked, struct slice star)
{
	for (size_t i = 0; i < s->model->target_count; i++) {
		struct candidate *c = &p->candidates[s->first + i];

		c->target = &s->model->targets[i];
		c->upstream_model = upstream_name(arena, c->target, asked, star, s == p->stages);
		c->reasons = c->target->reasons;
		if (slice_ends(c->target->model, S("*")))
			c->reasons = thinks(c->upstream_model);
	}
}

struct plan *plan_create(struct arena *arena, const struct model_policy *model, struct slice asked,
			 struct slice star, mono_ms deadline)
{
	struct plan *p = arena_new(arena, struct plan);
	size_t widest = 1;

	p->last = &p->stages;
	p->deadline = deadline;
	p->dearest = -1;
	add_stages(arena, p, model);
	p->candidates = arena_array(arena, struct candidate, p->count);
	for (const struct stage *s = p->stages; s; s = s->next) {
		fill_stage(arena, p, s, asked, star);
		if (s->model->target_count > widest)
			widest = s->model->target_count;
	}
	p->weights = arena_array(arena, unsigned, widest);
	p->open = arena_array(arena, bool, widest);
	p->least = arena_array(arena, bool, widest);
	p->looks = arena_array(arena, const struct target_look *, widest);
	return p;
}

/* ---- telling --------------------------------------------------------------------- */

static const char *const event_names[] = {
#define AS_NAME(id, name) [PLAN_EVENT_##id] = name,
	PLAN_EVENTS(AS_NAME)
#undef AS_NAME
};

const char *plan_event_name(enum plan_event_kind kind)
{
	return event_names[kind];
}

static void tell(const struct plan *p, enum plan_event_kind kind, const struct candidate *c,
		 const char *why, enum fault fault, mono_ms at)
{
	const struct plan_event e = { .kind = kind, .target = c->target, .why = why, .fault = fault,
				      .at = at };

	if (p->wants.on_event)
		p->wants.on_event(p->wants.owner, &e);
}

static void tell_decision(const struct plan *p, enum plan_event_kind kind, const struct candidate *c,
			  const char *why, enum fault fault, mono_ms at)
{
	if (p->wants.tell_all)
		tell(p, kind, c, why, fault, at);
}

static void tell_news(const struct plan *p, const struct candidate *c, unsigned news,
		      enum fault fault, mono_ms at)
{
	static const struct { unsigned bit; enum plan_event_kind kind; } kinds[] = {
		{ NEWS_OPENED, PLAN_EVENT_BREAKER_OPEN }, { NEWS_PROBING, PLAN_EVENT_BREAKER_PROBE },
		{ NEWS_RAMPING, PLAN_EVENT_BREAKER_RAMP }, { NEWS_CLOSED, PLAN_EVENT_BREAKER_CLOSED },
		{ NEWS_MACHINE_OPENED, PLAN_EVENT_MACHINE_OPEN },
		{ NEWS_MACHINE_BACK, PLAN_EVENT_MACHINE_BACK },
		{ NEWS_CREDENTIAL_OFF, PLAN_EVENT_CREDENTIAL_OFF },
		{ NEWS_CREDENTIAL_BACK, PLAN_EVENT_CREDENTIAL_BACK },
		{ NEWS_MODEL_GONE, PLAN_EVENT_MODEL_GONE }, { NEWS_MODEL_BACK, PLAN_EVENT_MODEL_BACK },
		{ NEWS_PACED, PLAN_EVENT_PACED },
	};

	for (size_t i = 0; news && i < sizeof kinds / sizeof *kinds; i++)
		if (news & kinds[i].bit)
			tell(p, kinds[i].kind, c, "", fault, at);
}

/* ---- what the request needs ---------------------------------------------------------- */

/* A guessed length must not leave a request without any target. */
static void judge_windows(struct plan *p)
{
	bool any = false;

	for (size_t i = 0; i < p->count; i++) {
		struct candidate *c = &p->candidates[i];

		c->too_small = c->target->context_window > 0 &&
			       p->wants.tokens > c->target->context_window;
		any = any || (!c->unfit && !c->too_small);
	}
	for (size_t i = 0; i < p->count && !any; i++)
		p->candidates[i].too_small = false;
}

/* Lets in the cheapest of what has been too dear so far. False: nothing has. */
static bool spend_more(struct plan *p)
{
	int64_t next = ROUTE_DEAREST;
	bool any = false;

	for (size_t i = 0; i < p->count; i++) {
		const struct candidate *c = &p->candidates[i];

		if (c->unfit || c->too_small || c->target->dearness <= p->dearest)
			continue;
		any = true;
		if (c->target->dearness < next)
			next = c->target->dearness;
	}
	if (any)
		p->dearest = next;
	for (size_t i = 0; i < p->count; i++)
		p->candidates[i].dear = p->candidates[i].target->dearness > p->dearest;
	return any;
}

void plan_want(struct plan *p, const struct plan_wants *wants)
{
	p->wants = *wants;
	for (size_t i = 0; i < p->count; i++) {
		struct candidate *c = &p->candidates[i];

		c->unfit = (c->target->lacks & wants->needs) != 0 ||
			   (wants->fits && !wants->fits(wants->owner, c->target));
	}
	judge_windows(p);
	if (wants->cheap)
		(void)spend_more(p);
	for (size_t i = 0; i < p->count; i++) {
		const struct candidate *c = &p->candidates[i];

		if (c->unfit)
			tell_decision(p, PLAN_EVENT_SKIPPED, c, "cannot do what is asked", FAULT_NONE,
				      MONO_NEVER);
		else if (c->too_small)
			tell_decision(p, PLAN_EVENT_SKIPPED, c, "context window too small", FAULT_NONE,
				      MONO_NEVER);
	}
}

/* ---- choosing among untried targets ------------------------------------------- */

static bool is_useless(const struct candidate *c)
{
	return c->unfit || c->too_small || c->running || c->never_again;
}

static bool is_out_of_question(const struct candidate *c)
{
	return c->dear || is_useless(c);
}

/* How the stage's targets are doing now. */
static void survey(struct plan *p, const struct stage *s, mono_ms now, uint64_t random)
{
	for (size_t i = s->first; i < s->first + s->model->target_count; i++) {
		struct candidate *c = &p->candidates[i];

		if (is_out_of_question(c))
			continue;
		target_look(c->target->state, s->model, now, random >> (i % 16), &c->look);
		if (c->look.use > USE_PROBE && c->tries == 0)
			tell_decision(p, PLAN_EVENT_SKIPPED, c, target_use_name(c->look.use),
				      c->look.why, c->look.at);
	}
}

static bool fits(const struct candidate *c, enum target_use worst)
{
	return c->tries == 0 && !is_out_of_question(c) &&
	       (c->look.use == worst || (worst == USE_PROBE && c->look.use == USE_GOOD));
}

/* Opens the untried targets of that use (GOOD and PROBE are one) with the best
 * priority above `above`; gives that priority, 0 if there are none. */
static unsigned open_priority(struct plan *p, const struct stage *s, enum target_use use,
			      unsigned above)
{
	const struct candidate *c = &p->candidates[s->first];
	unsigned priority = 0;

	for (size_t i = 0; i < s->model->target_count; i++) {
		unsigned own = c[i].target->priority;

		if (fits(&c[i], use) && own > above && (priority == 0 || own < priority))
			priority = own;
	}
	for (size_t i = 0; i < s->model->target_count; i++) {
		p->open[i] = priority != 0 && fits(&c[i], use) && c[i].target->priority == priority;
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
		.reasons = c->reasons,
		.probe = c->visit.probe,
		.forced = c->visit.forced,
	};
}

/* What is known of a target is old where nobody has asked it for as long as a
 * breaker stays open, or since another one of the model came back to life. */
static bool is_stale_news(const struct plan *p, const struct candidate *c, mono_ms now)
{
	const struct model_policy *model = p->stages->model;

	return now - c->look.asked_at >= model->breaker.open_max_ms ||
	       c->look.asked_at < model_stirred_at(model);
}

/* A further try on something that has just failed for somebody, or that is known
 * to be out, is paid for by the model's retry budget: an outage must not multiply
 * traffic. One that goes to a target in good standing, the fresh connection in
 * place of a stale one, and one look where the news are old, are not what budgets
 * are for. */
static bool must_pay(const struct plan *p, const struct candidate *c, mono_ms now)
{
	if (p->begun == 0)
		return false;
	if (c->tries > 0 && fault_row(c->fault)->again == AGAIN_FRESH)
		return false;
	return (c->look.doubt || c->look.use == USE_OPEN) &&
	       (c->tries > 0 || !is_stale_news(p, c, now));
}

static bool can_pay(const struct plan *p, const struct candidate *c, mono_ms now)
{
	return !must_pay(p, c, now) || model_retries_left(p->stages->model, now) >= 1;
}

/* Another worker may have taken the trial, or the share of a ramp, that was free
 * when it was looked at: what is turned away must not pass for usable, or nobody
 * would ask it as a last resort. */
static void look_again(struct candidate *c, const struct model_policy *model, mono_ms now,
		       uint64_t random)
{
	target_look(c->target->state, model, now, random, &c->look);
	if (c->look.use <= USE_PROBE)
		c->look.use = USE_RAMPING;
}

static enum target_answer enter(struct plan *p, const struct stage *s, struct candidate *c,
				mono_ms now, uint64_t random, bool force)
{
	const struct model_policy *purse = p->stages->model;
	bool pays = must_pay(p, c, now);
	enum target_answer answer;
	unsigned news;

	must(!c->running);
	if (pays && !model_take_retry(purse, now)) {
		tell_decision(p, PLAN_EVENT_BUDGET_SPENT, c, "", c->look.why, MONO_NEVER);
		return TARGET_NO;
	}
	answer = target_begin(c->target->state, c->target, s->model, now, random, force,
			      p->wants.tokens, &c->visit, &news);
	if (answer != TARGET_GO) {
		if (pays)
			model_give_retry(purse, now);
		if (answer == TARGET_NO)
			look_again(c, s->model, now, random);
		return answer;
	}
	c->running = true;
	c->paid = pays;
	c->tries++;
	p->begun++;
	tell_news(p, c, news, c->look.why, MONO_NEVER);
	return TARGET_GO;
}

/* The one that is due for a trial goes first: nobody else would bring it back. */
static size_t choose(const struct plan *p, const struct stage *s, uint64_t random, const char **why)
{
	const struct candidate *c = &p->candidates[s->first];
	size_t count = s->model->target_count;
	const struct choice choice = {
		.model = s->model, .open = p->open, .least = p->least, .weights = p->weights,
		.looks = p->looks, .count = count, .random = random, .prefix = p->wants.prefix, .sticky = p->wants.sticky,
	};

	for (size_t i = 0; i < count; i++) {
		if (p->open[i] && c[i].look.use == USE_PROBE) {
			*why = "trial";
			return i;
		}
		p->looks[i] = &c[i].look;
	}
	return choose_target(&choice, why);
}

static bool try_enter(struct plan *p, const struct stage *s, size_t i, mono_ms now, uint64_t random,
		      bool force, bool *saw_full, struct pick *pick)
{
	switch (enter(p, s, &p->candidates[i], now, random, force)) {
	case TARGET_GO:
		fill_pick(p, s, i, now, pick);
		return true;
	case TARGET_FULL:
		*saw_full = true;
		p->full_is_good |= !p->candidates[i].look.doubt;
		p->full |= target_places(p->candidates[i].target->state);
		return false;
	case TARGET_NO:
		return false;
	}
	never("an unknown answer");
}

/* An untried target of this stage in that state: best priority first, spilling
 * over to the next one where all are full. */
static bool next_fresh(struct plan *p, const struct stage *s, enum target_use use, mono_ms now,
		       uint64_t random, bool *saw_full, struct pick *pick)
{
	size_t count = s->model->target_count;
	unsigned priority = 0;

	while ((priority = open_priority(p, s, use, priority)) != 0) {
		while (any_open(p, count)) {
			const char *why = "";
			size_t i = choose(p, s, random, &why);
			struct candidate *c = &p->candidates[s->first + i];

			/* A share of a ramp that is given out is asked for by force. */
			if (try_enter(p, s, s->first + i, now, random, use == USE_RAMPING, saw_full,
				      pick)) {
				tell_decision(p, PLAN_EVENT_CHOSEN, c, why, FAULT_NONE, MONO_NEVER);
				return true;
			}
			p->open[i] = false;
		}
	}
	return false;
}

/* The least bad of what is out that nobody has passed over: that which comes back
 * first. */
static size_t find_forced(const struct plan *p, const struct stage *s, mono_ms now)
{
	size_t best = SIZE_MAX;

	for (size_t i = s->first; i < s->first + s->model->target_count; i++) {
		const struct candidate *c = &p->candidates[i];

		if (!c->passed_over && fits(c, USE_OPEN) && can_pay(p, c, now) &&
		    (best == SIZE_MAX || c->look.at < p->candidates[best].look.at))
			best = i;
	}
	return best;
}

static void pass_over_none(struct plan *p)
{
	for (size_t k = 0; k < p->count; k++)
		p->candidates[k].passed_over = false;
}

static bool next_forced(struct plan *p, mono_ms now, uint64_t random, bool *saw_full,
			struct pick *pick)
{
	size_t i;

	pass_over_none(p);
	for (const struct stage *s = p->stages; s; s = s->next) {
		while ((i = find_forced(p, s, now)) != SIZE_MAX) {
			if (try_enter(p, s, i, now, random, true, saw_full, pick)) {
				tell_decision(p, PLAN_EVENT_CHOSEN, &p->candidates[i], "last resort",
					      FAULT_NONE, MONO_NEVER);
				return true;
			}
			p->candidates[i].passed_over = true;
		}
	}
	return false;
}

/* ---- scouting ------------------------------------------------------------------------ */

/* The target that was asked the longest ago, of all stages; SIZE_MAX where one is
 * in good standing, or where none can be asked. */
static size_t find_scouted(struct plan *p, mono_ms now, uint64_t random)
{
	size_t best = SIZE_MAX;

	for (const struct stage *s = p->stages; s; s = s->next) {
		for (size_t i = s->first; i < s->first + s->model->target_count; i++) {
			struct candidate *c = &p->candidates[i];

			if (is_out_of_question(c))
				continue;
			if (s != p->stages)
				target_look(c->target->state, s->model, now, random >> (i % 16), &c->look);
			if (c->look.use < USE_PACED && !c->look.doubt)
				return SIZE_MAX;
			if (c->look.use != USE_PACED && c->look.use != USE_OFF && !c->passed_over &&
			    (best == SIZE_MAX || c->look.asked_at < p->candidates[best].look.asked_at))
				best = i;
		}
	}
	return best;
}

static const struct stage *stage_of(const struct plan *p, size_t candidate)
{
	const struct stage *s = p->stages;

	while (candidate >= s->first + s->model->target_count)
		s = s->next;
	return s;
}

/* Where nobody is in good standing and no retry can be paid, a request has but
 * one try: it goes where nobody has looked for the longest time, so that one that
 * is well again among others that are not is found by the next few requests. */
static bool next_scouted(struct plan *p, mono_ms now, uint64_t random, bool *saw_full,
			 struct pick *pick)
{
	size_t i;

	if (p->begun > 0)
		return false;
	pass_over_none(p);
	if (find_scouted(p, now, random) == SIZE_MAX || model_retries_left(p->stages->model, now) >= 1)
		return false;
	while ((i = find_scouted(p, now, random)) != SIZE_MAX) {
		struct candidate *c = &p->candidates[i];

		if (try_enter(p, stage_of(p, i), i, now, random, c->look.use > USE_EJECTED, saw_full,
			      pick)) {
			tell_decision(p, PLAN_EVENT_CHOSEN, c, "longest unasked", FAULT_NONE, MONO_NEVER);
			return true;
		}
		c->passed_over = true;
	}
	return false;
}

/* ---- asking the same target again ----------------------------------------------- */

/* When this candidate may be asked again; MONO_NEVER: not at all. An untried one
 * that is paced is waited for in the same way. */
static mono_ms again_at(const struct candidate *c, const struct retry_policy *retry)
{
	mono_ms at = MONO_NEVER;

	if (is_out_of_question(c) || c->look.use == USE_OPEN || c->look.use == USE_OFF)
		return MONO_NEVER;
	if (c->tries == 0)
		return c->look.use == USE_PACED ? c->look.at : MONO_NEVER;
	switch (fault_row(c->fault)->again) {
	case AGAIN_NEVER:
		break;
	case AGAIN_FRESH:
	case AGAIN_IF_LAST:
		at = c->tries < AGAIN_TRIES_MAX ? c->again_at : MONO_NEVER;
		break;
	case AGAIN_IF_FAST:
		if (c->tries < AGAIN_TRIES_MAX && c->took_ms <= retry->fast_ms)
			at = c->again_at;
		break;
	case AGAIN_AFTER_HINT:
		at = c->again_at;
		break;
	}
	if (at != MONO_NEVER && c->look.use == USE_PACED && c->look.at > at)
		return c->look.at;
	return at;
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
		    (latest == MONO_NEVER - 1 || can_pay(p, c, own)) &&
		    (best == SIZE_MAX || own < *at)) {
			best = i;
			*at = own;
		}
	}
	return best;
}

static bool next_again(struct plan *p, const struct stage *s, mono_ms now, uint64_t random,
		       mono_ms latest, unsigned tries_max, bool *saw_full, struct pick *pick)
{
	mono_ms at = MONO_NEVER;
	size_t i = soonest_again(p, s, latest, tries_max, &at);

	if (i == SIZE_MAX)
		return false;
	if (at > now) {
		p->candidates[i].visit = (struct target_visit){ 0 };
		fill_pick(p, s, i, at, pick);
		tell_decision(p, PLAN_EVENT_PAUSED, &p->candidates[i], "", p->candidates[i].fault, at);
		return true;
	}
	if (!try_enter(p, s, i, now, random, false, saw_full, pick))
		return false;
	tell_decision(p, PLAN_EVENT_CHOSEN, &p->candidates[i], "again", FAULT_NONE, MONO_NEVER);
	return true;
}

/* Nothing is left that could be paid, but somebody else is asking an untried target
 * just now: what is heard there decides. Waits for it, up to the patience. */
static bool next_awaited(struct plan *p, mono_ms now, struct pick *pick)
{
	int64_t patience = p->stages->model->retry.patience_ms;

	if (!p->awaiting)
		p->awaiting_since = now;
	if (mono_after(now, AWAIT_MS) > mono_after(p->awaiting_since, patience) ||
	    mono_after(now, AWAIT_MS) >= p->deadline)
		return false;
	for (const struct stage *s = p->stages; s; s = s->next) {
		for (size_t i = s->first; i < s->first + s->model->target_count; i++) {
			struct candidate *c = &p->candidates[i];

			if (c->tries || is_out_of_question(c) || c->look.use == USE_OFF ||
			    !c->look.doubt || c->look.in_flight == 0)
				continue;
			p->awaiting = true;
			c->visit = (struct target_visit){ 0 };
			fill_pick(p, s, i, mono_after(now, AWAIT_MS), pick);
			tell_decision(p, PLAN_EVENT_PAUSED, c, "others are asking there", c->look.why,
				      pick->at);
			return true;
		}
	}
	return false;
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
	return kept == 0 || p->begun + kept < most;
}

/* ---- the plan's face --------------------------------------------------------------- */

static enum plan_answer next_affordable(struct plan *p, mono_ms now, uint64_t random, struct pick *pick)
{
	bool saw_full = false;

	p->full = 0;
	p->full_is_good = false;
	if (p->over)
		return PLAN_SPENT;
	for (const struct stage *s = p->stages; s; s = s->next) {
		survey(p, s, now, random);
		if (s == p->stages && next_scouted(p, now, random, &saw_full, pick))
			return PLAN_GO;
		if (next_fresh(p, s, USE_PROBE, now, random, &saw_full, pick) ||
		    next_fresh(p, s, USE_EJECTED, now, random, &saw_full, pick))
			return PLAN_GO;
		if (may_ask_again(p, s) &&
		    next_again(p, s, now, random, mono_after(now, s->model->retry.patience_ms),
			       AGAIN_TRIES_MAX, &saw_full, pick))
			return PLAN_GO;
	}
	for (const struct stage *s = p->stages; s; s = s->next)
		if (next_fresh(p, s, USE_RAMPING, now, random, &saw_full, pick))
			return PLAN_GO;
	if (!p->full_is_good && next_forced(p, now, random, &saw_full, pick))
		return PLAN_GO;
	if (!saw_full && next_awaited(p, now, pick))
		return PLAN_GO;
	/* Nothing else is left: a longer pause is better than an error. */
	for (const struct stage *s = p->stages; s; s = s->next)
		if (next_again(p, s, now, random, MONO_NEVER - 1, UINT_MAX, &saw_full, pick))
			return PLAN_GO;
	return saw_full ? PLAN_FULL : PLAN_SPENT;
}

enum plan_answer plan_next(struct plan *p, mono_ms now, uint64_t random, struct pick *pick)
{
	enum plan_answer answer = next_affordable(p, now, random, pick);

	while (answer != PLAN_GO && !p->over && p->wants.cheap && spend_more(p))
		answer = next_affordable(p, now, random, pick);
	return answer;
}

uint64_t plan_places(const struct plan *p)
{
	uint64_t places = 0;

	for (size_t i = 0; i < p->count; i++)
		if (!is_out_of_question(&p->candidates[i]))
			places |= target_places(p->candidates[i].target->state);
	return places;
}

uint64_t plan_full_places(const struct plan *p)
{
	return p->full;
}

bool plan_next_fellow(struct plan *p, mono_ms now, uint64_t random, struct pick *pick)
{
	bool saw_full = false;

	if (p->over)
		return false;
	survey(p, p->stages, now, random);
	return next_fresh(p, p->stages, USE_PROBE, now, random, &saw_full, pick);
}

bool plan_enter(struct plan *p, const struct pick *pick, mono_ms now, uint64_t random)
{
	struct candidate *c = &p->candidates[pick->candidate];
	const struct stage *s = stage_of(p, pick->candidate);

	target_look(c->target->state, s->model, now, random, &c->look);
	return enter(p, s, c, now, random, false) == TARGET_GO;
}

enum fault plan_drilled(const struct plan *p, const struct pick *pick)
{
	return p->candidates[pick->candidate].visit.drilled;
}

void plan_first_token(struct plan *p, const struct pick *pick, mono_ms now, int64_t after_ms)
{
	struct candidate *c = &p->candidates[pick->candidate];
	unsigned news;

	must(c->running);
	news = target_first_token(c->target->state, pick->model, &c->visit, now, after_ms);
	tell_news(p, c, news, FAULT_NONE, MONO_NEVER);
	if (news & NEWS_BACK)
		model_stirs(p->stages->model, now);
}

static void tell_ejection(const struct plan *p, const struct stage *s, mono_ms now)
{
	enum outlier_why why;
	mono_ms until;
	size_t i = target_judge_outliers(s->model, now, &until, &why);

	if (i != SIZE_MAX)
		tell(p, PLAN_EVENT_EJECTED, &p->candidates[s->first + i],
		     why == OUTLIER_SPEED ? "tokens a second" : "time to the first token", FAULT_NONE,
		     until);
}

static void leave(struct plan *p, const struct pick *pick, mono_ms now, uint64_t random,
		  const struct target_outcome *outcome)
{
	struct candidate *c = &p->candidates[pick->candidate];
	const struct stage *s = stage_of(p, pick->candidate);
	unsigned news;
	mono_ms at;

	must(c->running);
	c->running = false;
	news = target_end(c->target->state, c->target, s->model, &c->visit, now, random, outcome, &at);
	tell_news(p, c, news, outcome->fault, at);
	if (news & NEWS_BACK)
		model_stirs(p->stages->model, now);
	if (!outcome->neutral)
		tell_ejection(p, s, now);
}

/* Only one that has a larger window than who found it too small. */
static void keep_larger_windows(struct plan *p, const struct candidate *failed)
{
	int64_t window = failed->target->context_window;
	bool any = false;

	for (size_t i = 0; i < p->count; i++) {
		struct candidate *c = &p->candidates[i];

		c->too_small = window == 0 || c->target->context_window <= window;
		any = any || (!c->too_small && !c->unfit && c->tries == 0);
	}
	p->over = !any;
}

void plan_report(struct plan *p, const struct pick *pick, mono_ms now, uint64_t random,
		 enum fault fault, int64_t took_ms, int64_t hint_ms, bool never_again)
{
	struct candidate *c = &p->candidates[pick->candidate];
	const struct fault_row *row = fault_row(fault);
	const struct target_outcome outcome = { .fault = fault, .took_ms = took_ms,
						.hint_ms = hint_ms };

	tell_decision(p, PLAN_EVENT_FAILED, c, "", fault, MONO_NEVER);
	leave(p, pick, now, random, &outcome);
	c->paid = false;
	c->fault = fault;
	c->took_ms = took_ms;
	c->never_again = never_again;
	if (hint_ms < 0)
		hint_ms = row->again == AGAIN_FRESH ? 0
			: backoff_full_jitter_ms(AGAIN_BASE_MS, AGAIN_CAP_MS, c->tries, random);
	c->again_at = mono_after(now, hint_ms);
	if (row->elsewhere == ELSEWHERE_LARGER)
		keep_larger_windows(p, c);
	if (row->elsewhere == ELSEWHERE_NO)
		p->over = true;
}

void plan_cancelled(struct plan *p, const struct pick *pick, mono_ms now, int64_t silent_ms)
{
	const struct target_outcome outcome = { .neutral = true, .silent_ms = silent_ms,
						.took_ms = -1, .hint_ms = -1 };

	leave(p, pick, now, 0, &outcome);
}

void plan_done(struct plan *p, const struct pick *pick)
{
	const struct target_outcome outcome = { .neutral = true, .took_ms = -1, .hint_ms = -1 };

	leave(p, pick, 0, 0, &outcome);
}

void plan_forget_try(struct plan *p, const struct pick *pick)
{
	struct candidate *c = &p->candidates[pick->candidate];

	must(!c->running);
	must(c->tries > 0);
	c->tries--;
}

void plan_served(struct plan *p, const struct pick *pick, mono_ms now, uint64_t random,
		 int64_t took_ms, bool streamed, double tokens_per_s)
{
	struct candidate *c = &p->candidates[pick->candidate];
	const struct target_outcome outcome = { .took_ms = took_ms, .hint_ms = -1,
						.streamed = streamed, .tokens_per_s = tokens_per_s };

	leave(p, pick, now, random, &outcome);
	/* A retry that has paid off costs nothing; successes pay for those that do not. */
	if (c->paid)
		model_give_retry(p->stages->model, now);
	c->paid = false;
	model_feed(p->stages->model, now);
}

bool plan_has_other(struct plan *p, const struct pick *current, mono_ms now)
{
	if (p->over)
		return false;
	for (const struct stage *s = p->stages; s; s = s->next) {
		for (size_t i = s->first; i < s->first + s->model->target_count; i++) {
			struct candidate *c = &p->candidates[i];

			if (i == current->candidate || is_useless(c))
				continue;
			target_look(c->target->state, s->model, now, 0, &c->look);
			if (!can_pay(p, c, now))
				continue;
			if (c->tries == 0 && c->look.use < USE_PACED)
				return true;
			if (again_at(c, &s->model->retry) < p->deadline)
				return true;
		}
	}
	return false;
}

bool plan_has_healthy(struct plan *p, const struct pick *current, mono_ms now)
{
	if (p->over)
		return false;
	for (const struct stage *s = p->stages; s; s = s->next) {
		for (size_t i = s->first; i < s->first + s->model->target_count; i++) {
			struct candidate *c = &p->candidates[i];

			if (i == current->candidate || c->tries || is_useless(c))
				continue;
			target_look(c->target->state, s->model, now, 0, &c->look);
			if (c->look.use == USE_GOOD && !c->look.doubt)
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
		else if (!c->tries && c->look.use == USE_PACED)
			at = mono_earlier(at, c->look.at);
	}
	return at;
}

enum fault plan_nothing_why(const struct plan *p, mono_ms *at)
{
	enum fault off = FAULT_NO_TARGET;
	mono_ms paced = MONO_NEVER, back = MONO_NEVER;
	bool any_fit = false;

	for (size_t i = 0; i < p->count; i++) {
		const struct candidate *c = &p->candidates[i];

		if (c->unfit)
			continue;
		any_fit = true;
		if (c->look.use == USE_PACED)
			paced = mono_earlier(paced, c->look.at);
		if (c->look.use == USE_OFF && c->look.at < back) {
			off = c->look.why;
			back = c->look.at;
		}
	}
	*at = paced != MONO_NEVER ? paced : back;
	if (paced != MONO_NEVER)
		return FAULT_RATE_LIMITED;
	return any_fit ? off : FAULT_UNSUPPORTED;
}

int64_t plan_first_token_limit_ms(const struct pick *pick, int64_t base_ms, mono_ms now)
{
	int64_t p95 = target_first_token_p95_ms(pick->target->state, now), own = p95 + p95 / 2;

	if (p95 < 0 || own <= base_ms)
		return base_ms;
	return own < base_ms * 3 ? own : base_ms * 3;
}
