/* recall_key.c: which question is it, and whose? */
#include "exchange/recall.h"

#include "base/check.h"
#include "cache/near.h"
#include "wire/json.h"

#include <string.h>

#define KEY_BODY_MAX ((size_t)1024 * 1024)    /* larger requests are not kept: they hold pictures */
#define FACTS_MAX ((size_t)16 * 1024)

/* ---- what of a request changes nothing --------------------------------------------- */

static const struct slice openai_ignored[] = {
	S_INIT("model"), S_INIT("stream"), S_INIT("stream_options"), S_INIT("user"), S_INIT("metadata"),
	S_INIT("service_tier"), S_INIT("prompt_cache_key"), S_INIT("prompt_cache_retention"),
	S_INIT("safety_identifier"),
};
static const struct slice chat_ignored[] = {
	S_INIT("model"), S_INIT("stream"), S_INIT("stream_options"), S_INIT("user"), S_INIT("metadata"),
	S_INIT("service_tier"), S_INIT("prompt_cache_key"), S_INIT("prompt_cache_retention"),
	S_INIT("safety_identifier"), S_INIT("store"),
};
/* As platform.openai.com/docs/api-reference gives them; only those on which the
 * servers that speak it agree. */
static const struct canonical_default openai_defaults[] = {
	{ S_INIT("n"), S_INIT("1") }, { S_INIT("temperature"), S_INIT("1") },
	{ S_INIT("top_p"), S_INIT("1") }, { S_INIT("presence_penalty"), S_INIT("0") },
	{ S_INIT("frequency_penalty"), S_INIT("0") }, { S_INIT("logprobs"), S_INIT("false") },
	{ S_INIT("logit_bias"), S_INIT("{}") }, { S_INIT("parallel_tool_calls"), S_INIT("true") },
	{ S_INIT("tool_choice"), S_INIT("\"auto\"") }, { S_INIT("stop"), S_INIT("[]") },
	{ S_INIT("response_format"), S_INIT("{\"type\":\"text\"}") },
	{ S_INIT("modalities"), S_INIT("[\"text\"]") }, { S_INIT("tools"), S_INIT("[]") },
	{ S_INIT("echo"), S_INIT("false") }, { S_INIT("encoding_format"), S_INIT("\"float\"") },
	{ S_INIT("background"), S_INIT("false") }, { S_INIT("truncation"), S_INIT("\"disabled\"") },
	{ S_INIT("text"), S_INIT("{\"format\":{\"type\":\"text\"}}") },
};

static const struct canonical_default other_defaults[] = {
	{ S_INIT("temperature"), S_INIT("1") }, { S_INIT("tools"), S_INIT("[]") },
};

static struct canonical_rules rules_for(const struct exchange *x)
{
	bool chat = x->endpoint->kind == ENDPOINT_CHAT;

	/* Of other APIs only what all their documents agree on. */
	if (x->dialect != &dialect_openai)
		return (struct canonical_rules){
			.ignored = openai_ignored, .ignored_count = COUNT_OF(openai_ignored),
			.defaults = other_defaults, .default_count = COUNT_OF(other_defaults),
		};
	return (struct canonical_rules){
		.ignored = chat ? chat_ignored : openai_ignored,
		.ignored_count = chat ? COUNT_OF(chat_ignored) : COUNT_OF(openai_ignored),
		.defaults = openai_defaults,
		.default_count = COUNT_OF(openai_defaults),
	};
}

/* ---- is it one to keep? --------------------------------------------------------------- */

static bool too_warm(const struct exchange *x, const struct cache_policy *p)
{
	struct slice body = buf_slice(&x->body), said = json_member(body, S("temperature"));
	int64_t milli = 1000;

	if (json_is_nothing(said))      /* Gemini's place for it */
		said = json_path(body, S("generationConfig.temperature"));
	/* An embedding has no temperature. */
	if (x->endpoint->kind == ENDPOINT_EMBEDDINGS)
		return false;
	if (!json_is_nothing(said) && !cache_number_milli(said, &milli))
		return true;
	return milli > p->temperature_milli;
}

/* A conversation that lives at the backend, and work that goes on behind the
 * answer, are more than the request says. */
static bool has_state(const struct exchange *x)
{
	struct slice body = buf_slice(&x->body);

	if (x->endpoint->kind != ENDPOINT_RESPONSES)
		return false;
	return json_is_true(json_member(body, S("background"))) ||
	       !json_is_nothing(json_member(body, S("conversation"))) ||
	       !json_is_nothing(json_member(body, S("prompt")));
}

static bool is_kind_to_keep(const struct exchange *x)
{
	switch (x->endpoint->kind) {
	case ENDPOINT_CHAT: case ENDPOINT_COMPLETIONS: case ENDPOINT_RESPONSES:
	case ENDPOINT_EMBEDDINGS:
		return slice_eq(x->method, S("POST"));
	case ENDPOINT_PASS: case ENDPOINT_MODELS: case ENDPOINT_COUNT_TOKENS:
		break;
	}
	return false;
}

static bool is_to_keep(const struct exchange *x, const struct cache_policy *p)
{
	return is_kind_to_keep(x) && buf_len(&x->body) <= KEY_BODY_MAX &&
	       (p->tools || !x->facts.has_tools) && !x->facts.has_audio && !has_state(x) &&
	       !too_warm(x, p);
}

/* ---- whose is it? ------------------------------------------------------------------------ */

static void put_scope(const struct exchange *x, const struct cache_policy *p,
		      const struct h1_head *head, struct buf *out)
{
	uint8_t digest[DIGEST_SHA256_BYTES];
	char hex[2 * DIGEST_SHA256_BYTES + 1] = "nothing";
	struct slice key;

	if (p->scope == CACHE_SCOPE_SHARED) {
		buf_puts(out, "all\n");
	} else if (x->who && p->scope == CACHE_SCOPE_GROUP && x->who->group.len) {
		buf_putf(out, "group %.*s\n", SLICE_ARG(x->who->group));
	} else if (x->who) {
		buf_putf(out, "key %.*s\n", SLICE_ARG(x->who->name));
	} else {
		/* Nobody's key is known here; those who present different ones may well be
		 * different people. */
		key = request_presented_key(x->arena, head);
		if (key.len) {
			digest_sha256(key, digest);
			digest_to_hex(digest, hex);
		}
		buf_putf(out, "presents %s\n", hex);
	}
}

/* Headers by which an API changes its ways. */
static bool put_headers(const struct exchange *x, struct buf *out)
{
	static const struct slice prefixes[] = { S_INIT("openai-"), S_INIT("anthropic-"), S_INIT("x-goog-") };

	struct slice lines = x->client_lines;
	struct h1_header h;

	while (header_lines_next(&lines, &h))
		for (size_t k = 0; k < COUNT_OF(prefixes); k++)
			if (slice_starts_nocase(h.name, prefixes[k]) &&
			    !buf_printf(out, "%.*s: %.*s\n", SLICE_ARG(h.name), SLICE_ARG(h.value)))
				return false;
	return true;
}

/* Those that follow get what the leader gets, so it must have asked for the same. */
void recall_flight_key(struct recall *r)
{
	const struct request_facts *f = &r->x->facts;

	uint64_t language = slice_hash(r->x->endpoint->path, slice_hash(r->x->dialect->name, 3));

	r->flight_key = r->key;
	/* What is fetched for keeping is given to nobody. */
	r->flight_key.bytes[0] ^= r->refresh ? 4 : (uint8_t)((f->stream ? 1 : 0) | (f->asks_usage ? 2 : 0));
	for (size_t i = 0; i < sizeof language && !r->refresh; i++)
		r->flight_key.bytes[8 + i] ^= (uint8_t)(language >> (8 * i));
}

/* Whose it is, and of which model. */
static bool put_whose(const struct recall *r, const char *kind, const struct h1_head *head,
		      const struct model_policy *model, struct buf *out)
{
	buf_putf(out, "backstay %s\n", kind);
	put_scope(r->x, r->policy, head, out);
	return buf_printf(out, "%.*s\n%016llx\n", SLICE_ARG(r->x->facts.model),
			  (unsigned long long)model->cache_epoch);
}

/* What stands before the canonical body: whose it is, of which model, at which
 * path. */
static bool put_facts(const struct recall *r, const struct h1_head *head, const struct model_policy *model,
		      struct buf *out)
{
	const struct exchange *x = r->x;
	/* There the path says which model, and whether it streams. */
	bool says_model = x->endpoint->model_place == MODEL_IN_PATH && x->endpoint->kind == ENDPOINT_CHAT;

	return put_whose(r, "answer 1", head, model, out) &&
	       buf_printf(out, "%.*s %.*s?%.*s\n", SLICE_ARG(x->dialect->name),
			  SLICE_ARG(says_model ? S("chat") : x->path), SLICE_ARG(x->query)) &&
	       put_headers(x, out);
}

/* r->key is that of the request in its own language; should it be one that can be said
 * in others, it becomes that of all of them. */
static void find_common_key(struct recall *r, const struct h1_head *head, const struct model_policy *model,
			    struct arena *scratch)
{
	struct buf text = BUF_INIT(8 * KEY_BODY_MAX + FACTS_MAX);
	struct cache_key own = r->key;

	if (recall_memo_get(r->x->all, &own, &r->key))
		return;
	if (put_whose(r, "question 1", head, model, &text) && recall_canonical(r->x, scratch, &text))
		cache_key_of(buf_slice(&text), &r->key);
	recall_memo_set(r->x->all, &own, &r->key);
	buf_free(&text);
}

/* The text that is asked: the last message, if it is a user's and plain text; or
 * a plain input or prompt. Raw; SLICE_NONE: it is more than that. */
static struct slice question_of(struct slice body)
{
	static const struct slice places[] = { S_INIT("input"), S_INIT("prompt") };
	struct slice messages = json_member(body, S("messages")), one, last = SLICE_NONE;

	for (size_t i = 0; i < COUNT_OF(places); i++) {
		struct slice text = json_member(body, places[i]);

		if (!json_is_nothing(text))
			return json_type_of(text) == JSON_STRING ? text : SLICE_NONE;
	}
	if (json_type_of(messages) != JSON_ARRAY)
		return SLICE_NONE;
	while (json_next(&messages, NULL, &one))
		last = one;
	if (json_type_of(last) != JSON_OBJECT || !json_string_eq(json_member(last, S("role")), S("user")))
		return SLICE_NONE;
	last = json_member(last, S("content"));
	return json_type_of(last) == JSON_STRING ? last : SLICE_NONE;
}

/* For near matches: everything but the question, as a number, and a sketch of it. */
static void find_context(struct recall *r, const struct h1_head *head, const struct model_policy *model,
			 struct arena *scratch)
{
	struct slice body = buf_slice(&r->x->body), question = question_of(body), without;
	const struct canonical_rules rules = rules_for(r->x);
	struct buf text = BUF_INIT(4 * KEY_BODY_MAX + FACTS_MAX);
	size_t at;

	if (!question.len || r->x->endpoint->kind == ENDPOINT_EMBEDDINGS)
		return;
	at = (size_t)(question.at - body.at);
	without = arena_printf(scratch, "%.*s\"\"%.*s", SLICE_ARG(slice_sub(body, 0, at)),
			       SLICE_ARG(slice_from(body, at + question.len)));
	if (put_facts(r, head, model, &text) && cache_canonical(scratch, without, &rules, &text)) {
		struct cache_key key;

		cache_key_of(buf_slice(&text), &key);
		memcpy(&r->context, key.bytes, sizeof r->context);
		r->context |= 1;
		question = json_string(scratch, question);
		near_sketch(question, r->sketch);
		if (r->policy->embed_model.len && question.len <= RECALL_QUESTION_MAX)
			r->question = arena_copy(r->x->arena, question);
	}
	buf_free(&text);
}

bool recall_find_key(struct recall *r, const struct h1_head *head, const struct model_policy *model)
{
	struct exchange *x = r->x;
	const struct canonical_rules rules = rules_for(x);
	struct buf text = BUF_INIT(4 * KEY_BODY_MAX + FACTS_MAX);
	struct arena *scratch;
	bool found;

	if (!is_to_keep(x, r->policy))
		return false;
	scratch = arena_create(16 * 1024);
	found = put_facts(r, head, model, &text) &&
		cache_canonical(scratch, buf_slice(&x->body), &rules, &text);
	if (found) {
		cache_key_of(buf_slice(&text), &r->key);
		find_common_key(r, head, model, scratch);
		recall_flight_key(r);
		if (r->policy->near_milli > 0 || r->policy->embed_model.len)
			find_context(r, head, model, scratch);
	}
	arena_free(scratch);
	buf_free(&text);
	return found;
}
