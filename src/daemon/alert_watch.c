/* Looks at targets and models, and notes what is wrong with them. What is half
 * open is not well yet: only a good answer ends trouble, not time alone. */
#include "daemon/alerts.h"

#include "admit/budgets.h"
#include "base/check.h"
#include "cache/cache.h"
#include "route/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KINDS (1u << ALERT_TARGET_OPEN | 1u << ALERT_CREDENTIAL_OFF | 1u << ALERT_OUT_OF_MONEY |     \
	       1u << ALERT_MODEL_GONE | 1u << ALERT_MODEL_DEGRADED | 1u << ALERT_MODEL_DOWN |         \
	       1u << ALERT_RETRIES_SPENT | 1u << ALERT_STORE_DOWN | 1u << ALERT_BUDGET_NEAR |         \
	       1u << ALERT_BUDGET_SPENT | 1u << ALERT_NODE_GONE)

static bool is_out(const char *state)
{
	return strcmp(state, "open") == 0 || strcmp(state, "half-open") == 0;
}

static void note(struct alerts *a, enum alert_kind kind, struct slice subject, const char *text)
{
	const struct alert_event e = { .kind = kind, .subject = subject, .on = true, .text = slice_of(text) };

	alerts_note(a, &e);
}

static const char *fault_text(enum fault f)
{
	return f == FAULT_NONE ? "it is not known why" : fault_row(f)->text;
}

static void note_open(struct alerts *a, const struct model_policy *m, const struct target_policy *t,
		      const struct target_view *v)
{
	char text[ALERT_TEXT_MAX];

	snprintf(text, sizeof text, "%s. Requests for model %.*s go to its other targets, as far as there are any.",
		 fault_text(v->why), SLICE_ARG(m->name));
	note(a, ALERT_TARGET_OPEN, t->name, text);
}

static void note_credential(struct alerts *a, const struct target_policy *t, const struct target_view *v)
{
	bool money = v->credential_why == FAULT_NO_MONEY;
	char text[ALERT_TEXT_MAX];

	snprintf(text, sizeof text, "%s. Backend %.*s gets no requests; %s.", fault_text(v->credential_why),
		 SLICE_ARG(t->backend->name),
		 money ? "add credit or raise the limit with the vendor, or change its key"
		       : "check its key, change it in the config and reload");
	note(a, money ? ALERT_OUT_OF_MONEY : ALERT_CREDENTIAL_OFF, t->backend->name, text);
}

static void note_gone(struct alerts *a, const struct target_policy *t, const struct target_view *v)
{
	char text[ALERT_TEXT_MAX];

	snprintf(text, sizeof text, "%s: backend %.*s does not know \"%.*s\"; correct the name, or remove "
		 "the target.", fault_text(v->model_why), SLICE_ARG(t->backend->name), SLICE_ARG(t->model));
	note(a, ALERT_MODEL_GONE, t->name, text);
}

/* Can the target serve, as far as is known? */
static bool serves(const struct target_view *v)
{
	return !is_out(v->state) && !is_out(v->machine) && !is_out(v->credential) && !is_out(v->model) &&
	       v->use != USE_OFF;
}

static bool any_serves(const struct model_policy *m, mono_ms now)
{
	for (size_t i = 0; i < m->target_count; i++) {
		struct target_view v;

		target_view(m->targets[i].state, m, now, &v);
		if (serves(&v))
			return true;
	}
	return false;
}

static void look_at_targets(struct alerts *a, const struct model_policy *m, mono_ms now)
{
	for (size_t i = 0; i < m->target_count; i++) {
		const struct target_policy *t = &m->targets[i];
		struct target_view v;

		target_view(t->state, m, now, &v);
		if (is_out(v.credential))
			note_credential(a, t, &v);
		if (is_out(v.model))
			note_gone(a, t, &v);
		if (is_out(v.machine) || (is_out(v.state) && v.use != USE_OFF))
			note_open(a, m, t, &v);
	}
}

static void look_at_model(struct alerts *a, const struct model_policy *m, mono_ms now)
{
	const struct model_policy *helper = NULL;
	char text[ALERT_TEXT_MAX];

	look_at_targets(a, m, now);
	if (model_retries_left(m, now) < 1)
		note(a, ALERT_RETRIES_SPENT, m->name,
		     "So many attempts failed that no more retries are paid for: what fails now fails at once.");
	if (any_serves(m, now))
		return;
	for (size_t i = 0; i < m->fallback_count && !helper; i++)
		if (any_serves(m->fallbacks[i], now))
			helper = m->fallbacks[i];
	if (helper)
		snprintf(text, sizeof text, "None of its %zu targets can be used; fallback model %.*s answers.",
			 m->target_count, SLICE_ARG(helper->name));
	else
		snprintf(text, sizeof text, "None of its %zu targets%s can be used: clients get errors.",
			 m->target_count, m->fallback_count ? " and none of its fallbacks'" : "");
	note(a, helper ? ALERT_MODEL_DEGRADED : ALERT_MODEL_DOWN, m->name, text);
}

static void look_at_stores(struct alerts *a, struct cache *cache)
{
	struct store_stats stores[CACHE_STORES_MAX];
	size_t count = cache ? cache_store_stats(cache, stores) : 0;
	char text[ALERT_TEXT_MAX];

	for (size_t i = 0; i < count; i++) {
		if (stores[i].works)
			continue;
		snprintf(text, sizeof text, "%s%sAnswers are kept in memory meanwhile, and requests go on.",
			 stores[i].trouble, *stores[i].trouble ? ". " : "");
		note(a, ALERT_STORE_DOWN, slice_of(stores[i].name), text);
	}
}

/* Those that ended without a word, as long as the store can be asked. */
static void look_at_nodes(struct alerts *a, struct cache *cache, mono_ms now, int64_t wall_ms)
{
	char subject[ALERT_SUBJECT_MAX], text[ALERT_TEXT_MAX], since[25];
	struct cache_cluster *c;

	if (!cache || !cache_can_share(cache))
		return;                 /* several times a second: the room for all is not for nothing */
	c = malloc(sizeof *c);
	must(c != NULL);
	cache_cluster(cache, now, c);
	for (size_t i = 0; i < c->count; i++) {
		const struct cache_node *n = &c->nodes[i];

		if (n->state != CACHE_NODE_GONE)
			continue;
		log_stamp((wall_ms - n->seen_ms) / 1000 * 1000, since);
		snprintf(subject, sizeof subject, "%.64s (%.80s)", n->name, n->listen);
		snprintf(text, sizeof text, "Its last sign of life in the shared store is of %.19sZ. Is it running, and "
			 "does it reach the store? An hour later it is forgotten.", since);
		note(a, ALERT_NODE_GONE, slice_of(subject), text);
	}
	free(c);
}

static const char *consequence(enum budget_then then)
{
	switch (then) {
	case BUDGET_ALERT:
		break;
	case BUDGET_CHEAPER:
		return "its requests go to the cheapest targets that can take them";
	case BUDGET_REFUSE:
		return "its requests are refused, but for kept answers";
	}
	return "its requests go on";
}

static void note_budget(struct alerts *a, const struct budget_policy *b, const struct budget_view *v)
{
	char text[ALERT_TEXT_MAX], until[25];
	bool spent = v->used_milli >= BUDGET_WHOLE;

	log_stamp(v->ends_wall_ms, until);
	snprintf(text, sizeof text, "%lld %% of it are used: %lld.%02lld US dollars and %lld tokens in this %s, which "
		 "ends at %s. %s %s.", (long long)(v->used_milli / 1000),
		 (long long)(v->cost_nano_usd / 1000000000), (long long)(v->cost_nano_usd / 10000000 % 100),
		 (long long)v->tokens, budget_period_name(b->per), until, spent ? "Until then" : "Once it is spent",
		 consequence(b->then));
	note(a, spent ? ALERT_BUDGET_SPENT : ALERT_BUDGET_NEAR, b->name, text);
}

/* One that is spent is no longer told to be nearly so. */
static void look_at_budgets(struct alerts *a, const struct budgets_policy *all, int64_t wall_ms)
{
	for (size_t i = 0; i < all->count; i++) {
		struct budget_view v;

		budget_look(&all->budgets[i], wall_ms, &v);
		if (v.used_milli > 0 && v.used_milli >= all->budgets[i].near_milli)
			note_budget(a, &all->budgets[i], &v);
	}
}

void alert_watch_look(struct alerts *a, const struct config *c, struct cache *cache, mono_ms now,
		      int64_t wall_ms)
{
	look_at_stores(a, cache);
	look_at_nodes(a, cache, now, wall_ms);
	look_at_budgets(a, &c->budgets, wall_ms);
	for (size_t i = 0; i < c->model_count; i++)
		look_at_model(a, &c->models[i], now);
	alerts_round(a, KINDS);
}
