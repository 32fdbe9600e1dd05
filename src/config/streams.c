/* streams.c: what the config says about streams: how targets go on with a broken
 * one, hedges; and what is known of the well-known APIs. */
#include "config/inside.h"

#include "dialect/dialect.h"

const struct choice resume_ways[] = {
	{ "auto", RESUME_AUTO }, { "replay", RESUME_REPLAY }, { "prefill", RESUME_PREFILL },
	{ "continue_final_message", RESUME_CONTINUE_FINAL }, { "prefix", RESUME_PREFIX },
	{ "instruct", RESUME_INSTRUCT }, { "none", RESUME_NONE }, { NULL, 0 },
};

/* All of these stream. What a row says of resuming is documented by its vendor
 * for assistant's messages at the end of a conversation; a path that is given
 * must be that of the URL. All others are asked again from the beginning. */
static const struct { struct slice host, path; enum resume_way resume; } families[] = {
	{ S_INIT("api.openai.com"), S_INIT(""), RESUME_AUTO },
	{ S_INIT(".openai.azure.com"), S_INIT(""), RESUME_AUTO },
	{ S_INIT("generativelanguage.googleapis.com"), S_INIT(""), RESUME_AUTO },
	{ S_INIT("api.anthropic.com"), S_INIT(""), RESUME_PREFILL },
	{ S_INIT("api.mistral.ai"), S_INIT(""), RESUME_PREFIX },
	{ S_INIT("api.deepseek.com"), S_INIT("/beta"), RESUME_PREFIX },
	{ S_INIT("api.deepseek.com"), S_INIT(""), RESUME_AUTO },
	{ S_INIT("openrouter.ai"), S_INIT(""), RESUME_PREFILL },
	{ S_INIT("api.groq.com"), S_INIT(""), RESUME_PREFILL },
	{ S_INIT("api.x.ai"), S_INIT(""), RESUME_AUTO },
	{ S_INIT("api.together.xyz"), S_INIT(""), RESUME_AUTO },
	{ S_INIT("api.fireworks.ai"), S_INIT(""), RESUME_AUTO },
};

static bool is_family(size_t i, const struct origin *o)
{
	struct slice host = families[i].host;

	if (host.at[0] == '.' ? !slice_ends(o->host, host) : !slice_eq(o->host, host))
		return false;
	return !families[i].path.len || slice_starts(o->base_path, families[i].path);
}

bool streams_known(const struct origin *o)
{
	for (size_t i = 0; i < COUNT_OF(families); i++)
		if (is_family(i, o))
			return true;
	return false;
}

int streams_resume(int target, int backend, const struct origin *o)
{
	if (target != RESUME_AUTO)
		return target;
	if (backend != RESUME_AUTO)
		return backend;
	for (size_t i = 0; i < COUNT_OF(families); i++)
		if (is_family(i, o))
			return (int)families[i].resume;
	return RESUME_AUTO;
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
