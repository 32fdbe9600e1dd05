/* recall_keep.c: an answer that went well is kept. */
#include "exchange/recall.h"

#include "base/check.h"
#include "wire/json.h"

#include <string.h>

/* ---- noting what the client is given --------------------------------------------------- */

static struct flight_facts facts_of(const struct exchange *x)
{
	return (struct flight_facts){
		.target = x->served_target, .model = x->served_model,
		.finish_reason = x->finish_reason, .fallback = x->served_fallback,
		.usage_known = x->usage.known, .input_tokens = x->usage.input_tokens,
		.output_tokens = x->usage.output_tokens, .cached_tokens = x->usage.cached_tokens,
		.reasoning_tokens = x->usage.reasoning_tokens,
	};
}

static bool leads(const struct recall *r)
{
	return r->guest.flight && r->guest.leads;
}

void recall_commit(struct exchange *x)
{
	struct flight_facts facts = facts_of(x);

	if (x->recall && leads(x->recall))
		flight_begin(&x->recall->guest, &facts);
}

void recall_note(struct exchange *x, struct slice bytes)
{
	struct recall *r = x->recall;

	if (!r)
		return;
	if (leads(r)) {
		flight_add(&r->guest, bytes);
	} else if (r->may_keep && !r->noted_lost && !buf_append(&r->noted, bytes)) {
		r->noted_lost = true;
		buf_free(&r->noted);
	}
}

/* ---- is it one to keep? ------------------------------------------------------------------- */

static bool ended_well(struct slice reason)
{
	static const struct slice good[] = {
		S_INIT("\"stop\""), S_INIT("\"tool_calls\""), S_INIT("\"function_call\""),
	};

	for (size_t i = 0; i < COUNT_OF(good); i++)
		if (slice_eq(reason, good[i]))
			return true;
	return false;
}

/* Neither cut short, nor filtered, nor refused. */
static bool choices_are_good(struct slice answer)
{
	struct slice choices = json_member(answer, S("choices")), choice;
	bool any = false;

	if (json_type_of(choices) != JSON_ARRAY)
		return false;
	while (json_next(&choices, NULL, &choice)) {
		struct slice message = json_member(choice, S("message"));

		if (!ended_well(json_member(choice, S("finish_reason"))) ||
		    !json_is_nothing(json_member(message, S("refusal"))))
			return false;
		any = true;
	}
	return any;
}

static bool part_is_refusal(struct slice item)
{
	struct slice parts = json_member(item, S("content")), part;

	if (json_type_of(parts) != JSON_ARRAY)
		return false;
	while (json_next(&parts, NULL, &part))
		if (json_string_eq(json_member(part, S("type")), S("refusal")))
			return true;
	return false;
}

static bool response_is_good(struct slice answer)
{
	struct slice items = json_member(answer, S("output")), item;

	if (!json_string_eq(json_member(answer, S("status")), S("completed")) ||
	    json_type_of(items) != JSON_ARRAY)
		return false;
	while (json_next(&items, NULL, &item))
		if (part_is_refusal(item))
			return false;
	return true;
}

/* Other APIs have other forms, but all say why an answer ends. */
static bool reason_is_good(struct slice reason)
{
	static const struct slice good[] = {
		S_INIT("stop"), S_INIT("tool_calls"), S_INIT("end_turn"), S_INIT("stop_sequence"),
		S_INIT("tool_use"), S_INIT("STOP"), S_INIT("COMPLETE"), S_INIT("TOOL_CALL"),
	};

	for (size_t i = 0; i < COUNT_OF(good); i++)
		if (slice_eq(reason, good[i]))
			return true;
	return false;
}

static bool is_good(const struct exchange *x, struct slice answer)
{
	if (x->dialect != &dialect_openai && x->endpoint->kind != ENDPOINT_EMBEDDINGS)
		return reason_is_good(x->finish_reason) && json_validate(answer, NULL) == JSON_OK;
	if (x->dialect != &dialect_openai)
		return json_validate(answer, NULL) == JSON_OK;
	switch (x->endpoint->kind) {
	case ENDPOINT_CHAT: case ENDPOINT_COMPLETIONS:
		return choices_are_good(answer);
	case ENDPOINT_RESPONSES:
		return response_is_good(answer);
	case ENDPOINT_EMBEDDINGS:
		return json_type_of(json_member(answer, S("data"))) == JSON_ARRAY;
	case ENDPOINT_PASS: case ENDPOINT_MODELS: case ENDPOINT_COUNT_TOKENS:
		break;
	}
	return false;
}

/* ---- keeping --------------------------------------------------------------------------------- */

static void keep(struct exchange *x, struct slice answer)
{
	struct recall *r = x->recall;
	struct cache *cache = x->all->setup.cache;
	struct cache_facts facts = {
		.dialect = x->dialect->name, .path = x->endpoint->path, .model = x->facts.model,
		.served_model = x->served_model, .target = x->served_target, .tags = r->tags,
		.finish_reason = x->finish_reason, .body = answer, .kept_ms = cache_kept_ms(r->policy),
		.usage_known = x->usage.known,
		.input_tokens = x->usage.input_tokens, .output_tokens = x->usage.output_tokens,
		.cached_tokens = x->usage.cached_tokens, .reasoning_tokens = x->usage.reasoning_tokens,
	};
	struct cache_entry *e;

	facts.context = r->context;
	memcpy(facts.sketch, r->sketch, sizeof facts.sketch);
	e = cache_entry_create(&r->key, &facts, io_now(x->all->setup.io), 0);

	if (!e)
		return;
	x->kept = true;
	cache_put(cache, e, r->purges);
	recall_embed_kept(x);
}

/* As one whole answer, whichever form the client got. */
static bool whole_of(struct exchange *x, struct slice given, struct buf *out)
{
	struct arena *scratch;
	bool told;

	if (!x->client_sse)
		return buf_append(out, given);
	scratch = arena_create(0);
	told = x->dialect->stream_to_answer &&
	       x->dialect->stream_to_answer(scratch, x->endpoint, given, out);
	arena_free(scratch);
	return told;
}

static void try_to_keep(struct exchange *x, struct slice given)
{
	struct buf answer = BUF_INIT(x->config->cache.entry_bytes);

	if (given.len && whole_of(x, given, &answer) && is_good(x, buf_slice(&answer)))
		keep(x, buf_slice(&answer));
	buf_free(&answer);
}

void recall_keep(struct exchange *x)
{
	struct recall *r = x->recall;
	struct flight_facts facts;
	bool keeps;

	if (!r)
		return;
	if (r->embed) {
		recall_embed_heard(x);
		return;
	}
	/* What a fallback said is a lesser answer: it must not outlive the trouble. */
	keeps = r->may_keep && !x->served_fallback && !x->resorted && (!x->resumes || r->policy->resumed);
	if (keeps && leads(r))
		try_to_keep(x, flight_bytes(&r->guest));
	else if (keeps && !r->noted_lost)
		try_to_keep(x, buf_slice(&r->noted));
	if (!leads(r))
		return;
	facts = facts_of(x);
	flight_end(&r->guest, true, &facts);
}

void recall_end(struct exchange *x)
{
	struct recall *r = x->recall;

	if (!r)
		return;
	recall_let_go(x);
	recall_embed_end(x);
	recall_embed_free(x);
	cache_entry_give(r->found);
	buf_free(&r->noted);
}
