/* openai_reasoner.c: what OpenAI's own reasoning models refuse with a 400: a
 * temperature or top_p but 1, penalties, log-probabilities, stop words
 * (platform.openai.com/docs/guides/reasoning and .../guides/latest-model). From
 * gpt-5.1 on they take all but the stop words where they do not reason, which is
 * what these do unasked. gpt-5-chat models do not reason. */
#include "dialect/losses.h"
#include "dialect/openai_chat.h"

static bool is_series(struct slice model, const char *name)
{
	struct slice series = slice_of(name);

	return slice_starts(model, series) && (model.len == series.len || model.at[series.len] == '-');
}

/* "openai/gpt-5" is gpt-5. */
static struct slice last_part(struct slice model)
{
	for (size_t i = model.len; i > 0; i--)
		if (model.at[i - 1] == '/')
			return slice_from(model, i);
	return model;
}

uint64_t openai_reasoner_lacks(const struct canon_request *r, const struct codec_target *target)
{
	struct slice model = last_part(target->model), five = S("gpt-5");
	bool later = slice_starts(model, S("gpt-5.")), reasons = true;
	uint64_t lost = CANON_HAS(STOP);

	if (!(target->vendor->quirks & QUIRK_REASONERS))
		return 0;
	if (!is_series(model, "o1") && !is_series(model, "o3") && !is_series(model, "o4") &&
	    !(slice_starts(model, five) && slice_find_slice(model, S("chat")) == SLICE_NOT_FOUND))
		return 0;
	if (later)
		reasons = (r->effort.len && !slice_eq(r->effort, S("none"))) || r->think_budget > 0;
	if (!reasons)
		return lost;
	if (losses_outside(r->temperature, 1000, 1000))
		lost |= CANON_HAS(TEMPERATURE);
	if (losses_outside(r->top_p, 1000, 1000))
		lost |= CANON_HAS(TOP_P);
	if (losses_outside(r->presence_penalty, 0, 0) || losses_outside(r->frequency_penalty, 0, 0))
		lost |= CANON_HAS(PENALTIES);
	return lost | CANON_HAS(LOGPROBS) | CANON_HAS(LOGIT_BIAS);
}
