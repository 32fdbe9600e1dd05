/* bedrock_family.c: what Converse leaves to single model families.
 *
 * Sources: Bedrock User Guide, "Extended thinking", "Adaptive thinking" (Claude);
 * Nova User Guide, "Extended thinking" (reasoningConfig); "OpenAI models"
 * (reasoning_effort). */
#include "dialect/bedrock.h"

#include "base/check.h"

static bool has(struct slice text, const char *word)
{
	return slice_find_slice(text, slice_of(word)) != SLICE_NOT_FOUND;
}

enum bedrock_family bedrock_family_of(struct slice model)
{
	static const struct { const char *word; enum bedrock_family family; } rows[] = {
		{ "anthropic.", BEDROCK_CLAUDE }, { "amazon.nova", BEDROCK_NOVA },
		{ "openai.", BEDROCK_GPT }, { "cohere.", BEDROCK_COHERE },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (has(model, rows[i].word))
			return rows[i].family;
	return BEDROCK_OTHER;
}

bool bedrock_thinks_by_budget(struct slice model)
{
	/* Those of before adaptive thinking; later ones are asked with an effort. */
	static const char *const rows[] = {
		"claude-3-", "claude-sonnet-4-2025", "claude-opus-4-2025", "claude-opus-4-1", "claude-opus-4-5",
		"claude-sonnet-4-5", "claude-haiku-4-5",
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (has(model, rows[i]))
			return true;
	return false;
}

/* ---- thinking ------------------------------------------------------------------- */

#define BUDGET_MIN 1024               /* the API's own */

static const struct { struct slice word; int64_t budget; } efforts[] = {
	{ S_INIT("minimal"), BUDGET_MIN }, { S_INIT("low"), 2048 }, { S_INIT("medium"), 8192 },
	{ S_INIT("high"), 16384 }, { S_INIT("xhigh"), 32768 }, { S_INIT("max"), 32768 },
};

static bool is_off(const struct canon_request *r)
{
	return r->think_budget == 0 || slice_eq(r->effort, S("none"));
}

static int64_t budget_of(const struct canon_request *r)
{
	int64_t budget = r->think_budget;

	if (budget < 0 && !r->effort.len)
		budget = 8192;           /* adaptive, of one that is not */
	for (size_t i = 0; budget < 0 && i < COUNT_OF(efforts); i++)
		if (slice_eq(r->effort, efforts[i].word))
			budget = efforts[i].budget;
	/* The limit of the answer counts the thinking too. */
	if (r->max_tokens >= 0 && budget >= r->max_tokens)
		budget = r->max_tokens / 2;
	return budget;
}

/* low, medium or high: all that most models know. */
static struct slice plain_effort(const struct canon_request *r)
{
	if (slice_eq(r->effort, S("minimal")) || slice_eq(r->effort, S("low")))
		return S("low");
	if (slice_eq(r->effort, S("medium")))
		return S("medium");
	if (r->effort.len)
		return S("high");
	if (r->think_budget > 0)
		return r->think_budget <= 2048 ? S("low") : r->think_budget <= 8192 ? S("medium") : S("high");
	return S("medium");
}

/* Claude wants the thinking that led to a call back with its result, if it is to
 * think within a budget. Where another vendor's model made the call there is
 * none: this one answer is given without thinking. */
static bool lacks_signed_thinking(const struct canon_request *r)
{
	const struct canon_message *last = NULL;
	bool calls = false, thinks = false;

	for (const struct canon_message *m = r->messages; m; m = m->next) {
		if (m->role == CANON_ASSISTANT)
			last = m;
		else if (m->role == CANON_USER && m->parts && m->parts->kind != CANON_PART_RESULT)
			last = NULL;
	}
	for (const struct canon_part *p = last ? last->parts : NULL; p; p = p->next) {
		calls = calls || p->kind == CANON_PART_CALL;
		thinks = thinks || (p->kind == CANON_PART_REASONING && (p->signature.len || p->encrypted.len));
	}
	return calls && !thinks;
}

#define ADAPTIVE (-1)

/* Tokens that a Claude may think; 0: it cannot be asked to; ADAPTIVE: as many as
 * it likes. */
static int64_t claude_budget(const struct canon_request *r, struct slice model)
{
	int64_t budget;

	if (!bedrock_thinks_by_budget(model) && (r->think_budget < 0 || r->think_auto))
		return ADAPTIVE;
	budget = budget_of(r);
	return budget < BUDGET_MIN || lacks_signed_thinking(r) ? 0 : budget;
}

static struct slice put_claude(struct json_make *m, const struct canon_request *r, struct slice model)
{
	int64_t budget = is_off(r) ? 0 : claude_budget(r, model);

	make_object(m, "thinking");
	make_text(m, "type", budget == 0 ? S("disabled") : budget > 0 ? S("enabled") : S("adaptive"));
	if (budget > 0)
		make_i64(m, "budget_tokens", budget);
	make_object_end(m);
	if (budget != ADAPTIVE)
		return SLICE_NONE;
	return slice_eq(r->effort, S("minimal")) ? S("low") : r->effort;
}

bool bedrock_says_thinking(const struct canon_request *r, struct slice model)
{
	if (!r->effort.len && r->think_budget < 0 && !r->think_auto)
		return false;
	switch (bedrock_family_of(model)) {
	case BEDROCK_CLAUDE:
		/* Claude 3 before 3.7 knows no thinking, and need not be told to do without. */
		if (is_off(r))
			return !has(model, "claude-3-") || has(model, "claude-3-7");
		return claude_budget(r, model) != 0;
	case BEDROCK_NOVA:
		return true;
	case BEDROCK_GPT: case BEDROCK_COHERE: case BEDROCK_OTHER:
		break;
	}
	return !is_off(r);
}

struct slice bedrock_put_thinking(struct json_make *m, const struct canon_request *r, struct slice model)
{
	switch (bedrock_family_of(model)) {
	case BEDROCK_CLAUDE:
		return put_claude(m, r, model);
	case BEDROCK_NOVA:
		make_object(m, "reasoningConfig");
		make_text(m, "type", is_off(r) ? S("disabled") : S("enabled"));
		if (!is_off(r))
			make_text(m, "maxReasoningEffort", plain_effort(r));
		make_object_end(m);
		break;
	case BEDROCK_GPT:
		make_text(m, "reasoning_effort", plain_effort(r));
		break;
	case BEDROCK_COHERE: case BEDROCK_OTHER:
		return plain_effort(r);
	}
	return SLICE_NONE;
}

/* ---- formats -------------------------------------------------------------------------- */

struct slice bedrock_format(enum canon_part_kind kind, struct slice mime)
{
	static const struct { struct slice mime, format; } rows[] = {
		{ S_INIT("image/jpg"), S_INIT("jpeg") },
		{ S_INIT("audio/mpeg"), S_INIT("mp3") }, { S_INIT("audio/x-wav"), S_INIT("wav") },
		{ S_INIT("audio/wave"), S_INIT("wav") }, { S_INIT("audio/x-m4a"), S_INIT("m4a") },
		{ S_INIT("video/quicktime"), S_INIT("mov") }, { S_INIT("video/3gpp"), S_INIT("three_gp") },
		{ S_INIT("video/x-matroska"), S_INIT("mkv") }, { S_INIT("video/x-flv"), S_INIT("flv") },
		{ S_INIT("video/x-ms-wmv"), S_INIT("wmv") },
		{ S_INIT("text/plain"), S_INIT("txt") }, { S_INIT("text/markdown"), S_INIT("md") },
		{ S_INIT("application/msword"), S_INIT("doc") },
		{ S_INIT("application/vnd.openxmlformats-officedocument.wordprocessingml.document"), S_INIT("docx") },
		{ S_INIT("application/vnd.ms-excel"), S_INIT("xls") },
		{ S_INIT("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"), S_INIT("xlsx") },
	};
	struct slice type, word;

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_eq_nocase(mime, rows[i].mime))
			return rows[i].format;
	if (slice_cut(mime, '/', &type, &word) && word.len)
		return word;
	switch (kind) {
	case CANON_PART_IMAGE: return S("png");
	case CANON_PART_AUDIO: return S("wav");
	case CANON_PART_VIDEO: return S("mp4");
	default:               return S("pdf");
	}
}
