/* budgets.c: what may be spent, by whom, for which models. */
#include "config/inside.h"

#define COST_MAX_USD 1000000000
#define ABOVE_MAX "is above 1,000,000,000 dollars; leave \"cost\" out where there is no limit"
#define NANO_OF_MILLIONTH 1000
#define TOKENS_MAX ((int64_t)1000000000000000)
#define NAMES_MAX 256

/* One name or several; `known` tells which there are. */
struct names_reading {
	struct reader *r;
	const char *key;
	bool (*known)(const struct config *c, struct slice name);
	const char *what, *remedy;
};

static bool is_key_or_group(const struct config *c, struct slice name)
{
	for (size_t i = 0; i < c->admit.key_count; i++)
		if (slice_eq(c->admit.keys[i].name, name) || slice_eq(c->admit.keys[i].group, name))
			return true;
	return false;
}

static bool is_model(const struct config *c, struct slice name)
{
	for (size_t i = 0; i < c->model_count; i++)
		if (slice_eq(c->models[i].name, name))
			return true;
	return false;
}

static const struct slice *read_names(const struct names_reading *w, struct node *n, size_t *count)
{
	struct node *const *items = n && n->kind == NODE_LIST ? n->items : &n;
	size_t most = !n ? 0 : n->kind == NODE_LIST ? n->count : 1;
	struct slice *names, text;

	if (n && (n->kind == NODE_MAP || most == 0 || most > NAMES_MAX)) {
		complain_at(w->r, n, "\"%s\" needs a name or a list of 1 to %d names", w->key, NAMES_MAX);
		return NULL;
	}
	names = arena_array(w->r->arena, struct slice, most);
	for (size_t i = 0; i < most; i++) {
		if (!scalar_of(w->r, w->key, items[i], &text))
			continue;
		if (!w->known(w->r->config, text))
			complain_at(w->r, items[i], "there is no %s %s; %s", w->what, quote(w->r, text), w->remedy);
		names[(*count)++] = arena_copy(w->r->arena, text);
	}
	return names;
}

static void read_limits(struct reader *r, struct node *at, const struct raw_budget *raw,
			struct budget_policy *out)
{
	const char *wrong = NULL;
	struct slice text;

	if (!raw->cost && !raw->tokens)
		complain_at(r, at, "a budget needs a \"cost\" in US dollars, or \"tokens\"; write cost: 50, say");
	if (raw->cost && scalar_of(r, "cost", raw->cost, &text)) {
		wrong = value_dollars(text, COST_MAX_USD, ABOVE_MAX, &out->cost_nano_usd);
		if (!wrong && out->cost_nano_usd == 0)
			wrong = "is nothing; a budget needs more than 0";
		if (wrong)
			complain_at(r, raw->cost, "\"cost\": %s %s", quote(r, raw->cost->written), wrong);
		out->cost_nano_usd *= NANO_OF_MILLIONTH;
	}
	if (raw->tokens && scalar_of(r, "tokens", raw->tokens, &text)) {
		wrong = value_count(r->scratch, text, &out->tokens);
		if (!wrong && (out->tokens < 1 || out->tokens > TOKENS_MAX))
			wrong = "is not between 1 and 10^15; write a number like 2000000";
		if (wrong)
			complain_at(r, raw->tokens, "\"tokens\": %s %s", quote(r, raw->tokens->written), wrong);
	}
}

static bool is_for(const struct budget_policy *b, struct slice model)
{
	bool is = b->model_count == 0;

	for (size_t i = 0; i < b->model_count; i++)
		is = is || slice_eq(b->models[i], model);
	return is;
}

/* What has no price is not counted, and never passes for cheap. */
static void note_unpriced(struct reader *r, const struct budget_policy *b)
{
	const struct config *c = r->config;

	for (size_t i = 0; i < c->model_count && b->cost_nano_usd; i++) {
		const struct model_policy *m = &c->models[i];

		if (!is_for(b, m->name))
			continue;
		for (size_t j = 0; j < m->target_count; j++)
			if (!m->targets[j].price && slice_find(m->targets[j].model, '*') == SLICE_NOT_FOUND) {
				note(r, "budget %.*s does not count what target %.*s costs: its model has no "
				     "price; add it to \"prices\"", SLICE_ARG(b->name),
				     SLICE_ARG(m->targets[j].name));
				return;
			}
	}
}

static void read_budget(struct reader *r, const struct member *m, struct budget_policy *out)
{
	const struct names_reading keys = { r, "keys", is_key_or_group, "client key or group of them named",
					    "\"keys\" at the top lists them" };
	const struct names_reading models = { r, "models", is_model, "model", "\"models\" at the top lists them" };
	struct raw_budget raw = { 0 };

	out->name = arena_copy(r->arena, m->key);
	if (!value_is_name(m->key, "._-", BUDGET_NAME_MAX))
		complain(r, m->line, m->column, "%s is no name for a budget; use letters, digits and . _ -, at "
			 "most %d", quote(r, m->key), BUDGET_NAME_MAX);
	section_defaults(&section_budget, &raw);
	if (!section_read(r, &section_budget, m->value, &raw))
		return;
	out->per = raw.per;
	out->then = raw.then;
	out->near_milli = raw.near_milli;
	read_limits(r, m->value, &raw, out);
	out->keys = read_names(&keys, raw.keys, &out->key_count);
	out->models = read_names(&models, raw.models, &out->model_count);
	note_unpriced(r, out);
}

void build_spending(struct reader *r, const struct raw_top *top)
{
	struct budgets_policy *out = &r->config->budgets;
	struct raw_spending raw = { 0 };
	struct slice text;

	if (!top->spending || !section_read(r, &section_spending, top->spending, &raw))
		return;
	if (raw.state && scalar_of(r, "state", raw.state, &text))
		out->state_path = config_path_of(r, text);
	if (!raw.budgets)
		return;
	if (raw.budgets->kind != NODE_MAP || raw.budgets->count == 0 || raw.budgets->count > BUDGETS_MAX) {
		complain_at(r, raw.budgets, "\"budgets\" needs a mapping of 1 to %d budgets; write budgets: "
			    "{all: {cost: 50, per: day}}, say", BUDGETS_MAX);
		return;
	}
	out->budgets = arena_array(r->arena, struct budget_policy, raw.budgets->count);
	out->count = raw.budgets->count;
	for (size_t i = 0; i < out->count; i++)
		read_budget(r, &raw.budgets->members[i], &out->budgets[i]);
	if (!out->state_path.len)
		note(r, "what has been spent of budgets is forgotten at a restart; add \"state\" to \"spending\"");
}
