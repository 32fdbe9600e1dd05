/* anthropic_think.c: how a model is asked to think, and what it cannot be told
 * beside that. Sources: platform.claude.com/docs/en/build-with-claude, "Extended
 * thinking", "Adaptive thinking", "Effort". */
#include "dialect/anthropic.h"

#include "base/check.h"
#include "dialect/losses.h"
#include "dialect/vendor.h"

#define BUDGET_MIN 1024

uint64_t anthropic_model_lacks(struct slice model)
{
	unsigned version = anthropic_version(model);
	uint64_t lacks = 0;

	if (version == 0)
		return 0;
	if (version >= 46)
		lacks |= CANON_HAS(PREFILL);
	if (version >= 47)
		lacks |= CANON_HAS(TEMPERATURE) | CANON_HAS(TOP_P) | CANON_HAS(TOP_K);
	if (version < 41)
		lacks |= CANON_HAS(JSON_SCHEMA) | CANON_HAS(STRICT_TOOLS);
	return lacks;
}

/* max_tokens must be there: as much as the model can say, where nobody said. */
static int64_t default_max_tokens(unsigned version)
{
	if (version == 0)
		return 8192;         /* others who speak this API */
	return version < 35 ? 4096 : version < 37 ? 8192 : 32000;
}

/* The words here are low, medium, high, xhigh and max. */
static struct slice effort_word(const struct canon_request *r, unsigned version)
{
	struct slice effort = r->effort;

	if (version < 46 || slice_eq(effort, S("none")))
		return SLICE_NONE;
	if (slice_eq(effort, S("minimal")))
		return S("low");
	if (slice_eq(effort, S("xhigh")) && version < 47)
		return S("high");
	if (effort.len || r->think_budget <= 0)
		return effort;
	return r->think_budget <= 4096 ? S("low") : r->think_budget <= 16384 ? S("medium") : S("high");
}

/* Where effort has no word, it is a budget. */
static int64_t budget_of(const struct canon_request *r)
{
	static const struct { struct slice word; int64_t tokens; } budgets[] = {
		{ S_INIT("minimal"), 1024 }, { S_INIT("low"), 2048 }, { S_INIT("medium"), 8192 },
		{ S_INIT("high"), 16384 }, { S_INIT("xhigh"), 24576 }, { S_INIT("max"), 24576 },
	};

	for (size_t i = 0; i < COUNT_OF(budgets); i++)
		if (slice_eq(r->effort, budgets[i].word))
			return budgets[i].tokens;
	return r->think_budget;
}

/* A call that is being answered must have come with thinking, where thinking is
 * asked for with a budget. */
static bool calls_without_thinking(const struct canon_request *r)
{
	bool open = false;

	for (const struct canon_message *m = r->messages; m; m = m->next) {
		bool proved = false, calls = false;

		for (const struct canon_part *p = m->parts; p; p = p->next) {
			proved |= p->kind == CANON_PART_REASONING && slice_eq(p->vendor, S("anthropic")) &&
				(p->encrypted.len || p->signature.len);
			calls |= p->kind == CANON_PART_CALL;
		}
		if (m->role == CANON_ASSISTANT)
			open = calls && !proved;
		else if (m->role == CANON_USER)
			open = false;
	}
	return open;
}

/* Thinking does not go with a forced tool, nor with an answer begun. */
static bool may_think(const struct canon_request *r)
{
	return r->choice != CANON_CHOICE_REQUIRED && r->choice != CANON_CHOICE_ONE &&
	       r->resume != RESUME_PREFILL && (r->features & CANON_HAS(PREFILL)) == 0;
}

#define THOUGHT (CANON_HAS(EFFORT) | CANON_HAS(THINK_BUDGET))

/* Up to Claude 4.5, and at others who speak this API. */
static void plan_budget(const struct canon_request *r, struct anthropic_plan *plan)
{
	int64_t budget = budget_of(r);

	if (budget >= plan->max_tokens) {
		budget = plan->max_tokens - 1;
		plan->less = r->effort.len ? 0 : CANON_HAS(THINK_BUDGET);
	}
	if (budget < BUDGET_MIN || calls_without_thinking(r)) {
		plan->less = THOUGHT;
		return;
	}
	plan->way = ANTHROPIC_THINK_BUDGET;
	plan->budget = budget;
}

void anthropic_plan_thinking(const struct canon_request *r, unsigned version, struct anthropic_plan *out)
{
	bool off = slice_eq(r->effort, S("none")) || (!r->effort.len && r->think_budget == 0);
	bool asked = r->effort.len || r->think_budget > 0 || r->think_auto;

	*out = (struct anthropic_plan){
		.way = ANTHROPIC_THINK_UNSAID, .effort = effort_word(r, version),
		.max_tokens = r->max_tokens >= 0 ? r->max_tokens : default_max_tokens(version),
	};
	if (off) {
		if (version >= 50)           /* these think unless told not to */
			out->way = ANTHROPIC_THINK_OFF;
		return;
	}
	if (!asked)
		return;
	/* How much is still said to those who have a word for it. */
	if (!may_think(r))
		out->unsaid = out->effort.len ? 0 : THOUGHT;
	else if (version < 46 || (version == 46 && r->think_budget > 0))
		plan_budget(r, out);
	else
		out->way = ANTHROPIC_THINK_ADAPTIVE;
}

bool anthropic_asks_json(const struct canon_request *r)
{
	return r->format == CANON_FORMAT_JSON && r->task == CANON_CHAT && (r->features & CANON_HAS(JSON_MODE)) &&
	       r->choice != CANON_CHOICE_REQUIRED && r->choice != CANON_CHOICE_ONE;
}

/* A tool that must be called goes with neither thinking nor an answer begun. */
static bool may_ask_json(const struct canon_request *r, unsigned version, const struct anthropic_plan *plan)
{
	for (const struct canon_tool *t = r->tools; t; t = t->next)
		if (slice_eq(canon_inside(t->name), S(ANTHROPIC_JSON_TOOL)))
			return false;
	return plan->way != ANTHROPIC_THINK_BUDGET && plan->way != ANTHROPIC_THINK_ADAPTIVE &&
	       (version < 50 || plan->way == ANTHROPIC_THINK_OFF) && !(r->features & CANON_HAS(PREFILL));
}

uint64_t anthropic_lacks(const struct canon_request *r, const struct codec_target *target, uint64_t *softly)
{
	unsigned version = anthropic_version(target->model);
	uint64_t lacks = anthropic_model_lacks(target->model);
	struct slice tier = r->service_tier;
	struct anthropic_plan plan;

	anthropic_plan_thinking(r, version, &plan);
	lacks |= plan.unsaid;
	if (plan.way == ANTHROPIC_THINK_BUDGET || plan.way == ANTHROPIC_THINK_ADAPTIVE)
		lacks |= losses_beside_thinking(r);
	if (anthropic_asks_json(r) && !may_ask_json(r, version, &plan))
		lacks |= CANON_HAS(JSON_MODE);
	if (losses_outside(r->temperature, 0, 1000))
		lacks |= CANON_HAS(TEMPERATURE);
	*softly |= plan.less;
	if (losses_foreign_thinking(r, S("anthropic")))
		*softly |= CANON_HAS(THINK_PARTS);
	if (r->schema_description.len)       /* a schema stands without one */
		*softly |= CANON_HAS(JSON_SCHEMA);
	if (r->cache_key.len)                /* only places in the prompt can be named */
		*softly |= CANON_HAS(CACHE_HINT);
	if (!slice_eq(tier, S("auto")) && !slice_eq(tier, S("priority")) && !slice_eq(tier, S("default")) &&
	    !slice_eq(tier, S("standard_only")))
		*softly |= CANON_HAS(SERVICE_TIER);
	return lacks;
}
