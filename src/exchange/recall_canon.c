/* recall_canon.c: one question in several API languages is one question. Where all
 * that a request says has a place in the canonical form, its key is made of that, and
 * the answer is told anew for a client that speaks another language than the one it
 * was computed for. */
#include "exchange/recall.h"

#include "base/check.h"
#include "dialect/codec.h"

#include <stdlib.h>
#include <string.h>

/* What does not hinder: put_request() tells it, or it changes nothing of the answer.
 * Everything else is the affair of one language. */
#define CARRIED (CANON_HAS(SYSTEM) | CANON_HAS(TOOLS) | CANON_HAS(TOOL_CHOICE) | CANON_HAS(PARALLEL) | \
		 CANON_HAS(STRICT_TOOLS) | CANON_HAS(IMAGE_URL) | CANON_HAS(IMAGE_DATA) |              \
		 CANON_HAS(DOCUMENT_URL) | CANON_HAS(DOCUMENT_DATA) | CANON_HAS(RESULT_MEDIA) |        \
		 CANON_HAS(JSON_MODE) | CANON_HAS(JSON_SCHEMA) | CANON_HAS(TEMPERATURE) |              \
		 CANON_HAS(TOP_P) | CANON_HAS(TOP_K) | CANON_HAS(MIN_P) | CANON_HAS(PENALTIES) |       \
		 CANON_HAS(REPETITION) | CANON_HAS(LOGIT_BIAS) | CANON_HAS(SEED) | CANON_HAS(STOP) |   \
		 CANON_HAS(EFFORT) | CANON_HAS(THINK_BUDGET) | CANON_HAS(PREFILL) |                    \
		 CANON_HAS(CACHE_HINT) | CANON_HAS(METADATA) | CANON_HAS(USER) |                       \
		 CANON_HAS(SERVICE_TIER) | CANON_HAS(STORE) | CANON_HAS(NAMES))

/* ---- is it everybody's? ----------------------------------------------------------------- */

/* No header by which one API changes its ways; its version says nothing of them. */
static bool headers_are_plain(const struct exchange *x)
{
	static const struct slice prefixes[] = { S_INIT("openai-"), S_INIT("anthropic-"), S_INIT("x-goog-") };
	static const struct slice plain[] = {
		S_INIT("anthropic-version"), S_INIT("anthropic-dangerous-direct-browser-access"),
		S_INIT("x-goog-api-client"),
	};

	struct slice lines = x->client_lines;
	struct h1_header h;

	while (header_lines_next(&lines, &h)) {
		bool known = false;

		for (size_t k = 0; k < COUNT_OF(plain); k++)
			known |= slice_eq_nocase(h.name, plain[k]);
		for (size_t k = 0; k < COUNT_OF(prefixes) && !known; k++)
			if (slice_starts_nocase(h.name, prefixes[k]))
				return false;
	}
	return true;
}

static bool is_plain(const struct exchange *x, const struct canon_request *r)
{
	/* An answer that its client may refer to later is only one where it is kept. */
	if (x->endpoint->kind == ENDPOINT_RESPONSES && r->store != 0)
		return false;
	return r->task == CANON_CHAT && (r->features & ~CARRIED) == 0 && r->choices == 1 && !r->logprobs;
}

/* ---- as a text --------------------------------------------------------------------------- */

/* A raw value, or null. */
static bool put_raw(struct buf *out, struct slice raw)
{
	return buf_append(out, S(",")) && buf_append(out, raw.len ? raw : S("null"));
}

/* A word needs no escapes, but some are taken out of what came: better sure. */
static bool put_word(struct arena *scratch, struct buf *out, struct slice word)
{
	return put_raw(out, word.at ? canon_quote(scratch, word) : SLICE_NONE);
}

static bool put_parts(struct arena *scratch, const struct canon_part *parts, struct buf *out)
{
	if (!buf_append(out, S(",[")))
		return false;
	for (const struct canon_part *p = parts; p; p = p->next) {
		const struct canon_media *m = &p->media;

		if (!buf_printf(out, "%s[%d,%d,%d", p == parts ? "" : ",", p->kind, p->custom, p->is_error) ||
		    !put_raw(out, p->text) || !put_word(scratch, out, m->mime) ||
		    !put_word(scratch, out, m->data) || !put_raw(out, m->url) || !put_raw(out, m->name) ||
		    !put_word(scratch, out, m->detail) || !put_raw(out, p->id) || !put_raw(out, p->name) ||
		    !put_raw(out, p->kind == CANON_PART_CALL
			     ? canon_arguments_object(scratch, p->arguments, p->arguments_text) : SLICE_NONE) ||
		    !put_parts(scratch, p->content, out) || !buf_append(out, S("]")))
			return false;
	}
	return buf_append(out, S("]"));
}

static bool put_messages(struct arena *scratch, const struct canon_request *r, struct buf *out)
{
	if (!buf_append(out, S("\"messages\":[")))
		return false;
	for (const struct canon_message *m = r->messages; m; m = m->next)
		if (!buf_printf(out, "%s[%d", m == r->messages ? "" : ",", m->role) || !put_raw(out, m->name) ||
		    !put_parts(scratch, m->parts, out) || !buf_append(out, S("]")))
			return false;
	return buf_append(out, S("]"));
}

static bool put_tools(struct arena *scratch, const struct canon_request *r, struct buf *out)
{
	if (!buf_append(out, S(",\"tools\":[")))
		return false;
	for (const struct canon_tool *t = r->tools; t; t = t->next)
		if (!buf_printf(out, "%s[%d", t == r->tools ? "" : ",", t->strict) || !put_raw(out, t->name) ||
		    !put_raw(out, t->description) || !put_raw(out, t->parameters) || !buf_append(out, S("]")))
			return false;
	/* Unsaid is "auto"; that several calls are allowed is, too. */
	return buf_printf(out, "],\"choice\":[%d", r->choice == CANON_CHOICE_UNSAID ? CANON_CHOICE_AUTO : r->choice) &&
	       put_raw(out, r->choice_name) && buf_printf(out, ",%d]", r->parallel != 0) &&
	       buf_printf(out, ",\"format\":[%d,%d",
			  r->format == CANON_FORMAT_UNSAID ? CANON_FORMAT_TEXT : r->format, r->schema_strict) &&
	       put_raw(out, r->schema_name) && put_raw(out, r->schema_description) &&
	       put_raw(out, r->schema) && buf_append(out, S(",null")) && put_word(scratch, out, r->effort) &&
	       buf_printf(out, ",%lld,%d]", (long long)r->think_budget, r->think_auto);
}

static bool put_numbers(const struct canon_request *r, struct buf *out)
{
	const struct { const char *name; struct slice raw; } numbers[] = {
		{ "temperature", r->temperature }, { "top_p", r->top_p }, { "top_k", r->top_k },
		{ "min_p", r->min_p }, { "presence_penalty", r->presence_penalty },
		{ "frequency_penalty", r->frequency_penalty },
		{ "repetition_penalty", r->repetition_penalty }, { "seed", r->seed },
		{ "logit_bias", r->logit_bias },
	};

	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		if (!buf_printf(out, ",\"%s\":%.*s", numbers[i].name,
				SLICE_ARG(numbers[i].raw.len ? numbers[i].raw : S("null"))))
			return false;
	if (!buf_printf(out, ",\"max_tokens\":%lld,\"stop\":[null", (long long)r->max_tokens))
		return false;
	for (const struct canon_text *t = r->stop; t; t = t->next)
		if (!put_raw(out, t->raw))
			return false;
	return buf_append(out, S("]"));
}

static bool put_request(struct arena *scratch, const struct canon_request *r, struct buf *out)
{
	return buf_append(out, S("{")) && put_messages(scratch, r, out) && put_tools(scratch, r, out) &&
	       put_numbers(r, out) && buf_append(out, S("}"));
}

/* What all languages agree on. */
static const struct canonical_default defaults[] = {
	{ S_INIT("temperature"), S_INIT("1") }, { S_INIT("top_p"), S_INIT("1") },
	{ S_INIT("presence_penalty"), S_INIT("0") }, { S_INIT("frequency_penalty"), S_INIT("0") },
	{ S_INIT("logit_bias"), S_INIT("{}") },
};

bool recall_canonical(struct exchange *x, struct arena *scratch, struct buf *out)
{
	const struct codec *codec = x->endpoint->codec;
	const struct canonical_rules rules = { .defaults = defaults, .default_count = COUNT_OF(defaults) };
	struct buf text = BUF_INIT(4 * buf_len(&x->body) + 16 * 1024);
	struct canon_request *r = NULL;
	struct slice why;
	bool good;

	if (!codec || codec->task != CANON_CHAT || !codec->read_answer || !codec->write_answer ||
	    x->endpoint->kind == ENDPOINT_COMPLETIONS || x->query.len || !headers_are_plain(x))
		return false;
	good = codec->read_request(scratch, buf_slice(&x->body), &x->facts, &r, &why) == FAULT_NONE &&
	       is_plain(x, r) && put_request(scratch, r, &text) &&
	       cache_canonical(scratch, buf_slice(&text), &rules, out);
	buf_free(&text);
	return good;
}

/* ---- what is known of a request already --------------------------------------------------------- */

/* Questions come again, and reading one in full costs more than all else of a hit. */
#define MEMO_SLOTS 1024

struct recall_memo {
	struct { struct cache_key own, all; bool used; } slots[MEMO_SLOTS];
};

static size_t slot_of(const struct cache_key *own)
{
	return ((size_t)own->bytes[0] << 8 | own->bytes[1]) % MEMO_SLOTS;
}

bool recall_memo_get(struct exchanges *all, const struct cache_key *own, struct cache_key *out)
{
	size_t at = slot_of(own);

	if (!all->memo || !all->memo->slots[at].used || !cache_key_eq(&all->memo->slots[at].own, own))
		return false;
	*out = all->memo->slots[at].all;
	return true;
}

void recall_memo_set(struct exchanges *all, const struct cache_key *own, const struct cache_key *key)
{
	size_t at = slot_of(own);

	if (!all->memo)
		all->memo = calloc(1, sizeof *all->memo);
	must(all->memo != NULL);
	all->memo->slots[at].own = *own;
	all->memo->slots[at].all = *key;
	all->memo->slots[at].used = true;
}

/* ---- told anew -------------------------------------------------------------------------------------- */

static const struct codec *codec_of(const struct cache_entry *e)
{
	const struct dialect *d = dialect_find(e->facts.dialect);
	const char *allow;
	const struct endpoint *from = d ? dialect_endpoint_in(d, S("POST"), e->facts.path, &allow) : NULL;

	return from ? from->codec : NULL;
}

bool recall_is_ours(const struct exchange *x, const struct cache_entry *e)
{
	return (slice_eq(e->facts.dialect, x->dialect->name) && slice_eq(e->facts.path, x->endpoint->path)) ||
	       (x->endpoint->codec && codec_of(e) == x->endpoint->codec);
}

bool recall_retell(struct exchange *x, const struct cache_entry *e, struct buf *out)
{
	const struct codec *from = codec_of(e), *to = x->endpoint->codec;
	struct arena *arena = arena_create(0);
	struct codec_reader reader = { .codec = from, .arena = arena, .wall_ms = x->wall_ms };
	struct codec_writer writer = {
		.codec = to, .arena = arena, .wall_ms = x->wall_ms, .request_id = x->id,
	};
	struct canon_events events = canon_events_in(arena);
	struct canon_request *r = NULL;
	struct slice why;
	bool good = from && to && from->read_answer && to->write_answer && from->task == to->task;

	if (good && to->read_request(arena, buf_slice(&x->body), &x->facts, &r, &why) == FAULT_NONE) {
		r->include_usage = true;
		writer.request = r;
	}
	good = good && writer.request && from->read_answer(&reader, e->facts.body, &events) == FAULT_NONE &&
	       to->write_answer(&writer, &events, out);
	arena_free(arena);
	return good;
}
