/* streams.c: what the config says about streams: how targets go on with a broken
 * one, hedges; and what is known of the well-known APIs. */
#include "config/inside.h"

#include "dialect/canon.h"
#include "dialect/dialect.h"
#include "dialect/vendor.h"
#include "route/known_models.h"

const struct choice resume_ways[] = {
	{ "auto", RESUME_AUTO }, { "replay", RESUME_REPLAY }, { "prefill", RESUME_PREFILL },
	{ "continue_final_message", RESUME_CONTINUE_FINAL }, { "prefix", RESUME_PREFIX },
	{ "instruct", RESUME_INSTRUCT }, { "none", RESUME_NONE }, { NULL, 0 },
};

int streams_rate_scope(int said, const struct vendor *vendor, bool has_key)
{
	if (said != RATE_SCOPE_AUTO)
		return said;
	if (vendor->known)
		return vendor->counts_account ? RATE_SCOPE_KEY : RATE_SCOPE_MODEL;
	/* Without a key there is no account that anything could be counted for. */
	return has_key ? RATE_SCOPE_KEY : RATE_SCOPE_MODEL;
}

/* A prefill is tried only with models that are known to go on with it: one that
 * began a new answer instead would contradict what was sent. */
static enum resume_way for_model(enum resume_way way, struct slice model)
{
	const struct known_model *known = known_model_find(model);

	return way != RESUME_PREFILL || (known && known->habits & KNOWN_PREFILLS) ? way : RESUME_AUTO;
}

int streams_resume(int target, const struct backend_policy *backend, struct slice model)
{
	if (target != RESUME_AUTO)
		return target;
	if (backend->resume != RESUME_AUTO)
		return backend->resume;
	return backend->vendor ? (int)for_model(backend->vendor->resume, model) : RESUME_AUTO;
}

static void complain_value(struct reader *r, const char *key, const struct node *n, const char *why)
{
	if (why)
		complain_at(r, n, "\"%s\": %s %s", key, quote(r, n->written), why);
}

void read_hedge(struct reader *r, const struct raw_hedge *raw, struct hedge_policy *out)
{
	struct slice text;

	*out = (struct hedge_policy){ .after_ms = 2000, .budget_milli = 5000 };
	if (raw->after && scalar_of(r, "after", raw->after, &text)) {
		out->on = true;
		out->after_p95 = slice_eq(text, S("p95"));
		if (slice_eq(text, S("off")))
			out->on = false;
		else if (!out->after_p95)
			complain_value(r, "after", raw->after,
				       value_duration(r->scratch, text, &out->after_ms));
	}
	if (raw->budget && scalar_of(r, "budget", raw->budget, &text))
		complain_value(r, "budget", raw->budget,
			       value_percent(r->scratch, text, &out->budget_milli));
}

static uint64_t lost_feature(struct reader *r, const struct node *n)
{
	struct slice names[CANON_FEATURE_COUNT], text;
	enum canon_feature_bit bit;

	if (!scalar_of(r, "may_lose", n, &text))
		return 0;
	if (canon_feature_find(text, &bit))
		return UINT64_C(1) << bit;
	for (unsigned i = 0; i < CANON_FEATURE_COUNT; i++)
		names[i] = slice_of(canon_feature((enum canon_feature_bit)i)->name);
	complain_at(r, n, "unknown feature %s; %s", quote(r, text),
		    suggestion(r, text, names, COUNT_OF(names), "features"));
	return 0;
}

uint64_t read_may_lose(struct reader *r, const struct node *n)
{
	uint64_t bits = 0;
	struct slice text;

	if (!n)
		return 0;
	if (n->kind == NODE_SCALAR && scalar_of(r, "may_lose", n, &text) && slice_eq(text, S("all")))
		return ~UINT64_C(0);
	if (n->kind != NODE_LIST) {
		complain_at(r, n, "\"may_lose\" needs a list, as in may_lose: [seed, logit_bias], or all");
		return 0;
	}
	for (size_t i = 0; i < n->count; i++)
		bits |= lost_feature(r, n->items[i]);
	return bits;
}
