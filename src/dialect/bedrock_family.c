/* bedrock_family.c: what Converse leaves to single model families.
 *
 * Sources: Bedrock User Guide, "Extended thinking", "Adaptive thinking" (Claude);
 * Nova User Guide, "Extended thinking" (reasoningConfig); "OpenAI models"
 * (reasoning_effort). */
#include "dialect/bedrock.h"

#include "base/check.h"
#include "dialect/anthropic.h"
#include "dialect/losses.h"
#include "wire/json.h"

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

/* A tool that must be called and thinking do not go together. */
static bool is_forced(const struct canon_request *r)
{
	return r->choice == CANON_CHOICE_REQUIRED || r->choice == CANON_CHOICE_ONE;
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
		return !is_forced(r) && claude_budget(r, model) != 0;
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

/* ---- what does not go together ------------------------------------------------------- */

bool bedrock_fits_metadata(struct slice key, struct slice value)
{
	const struct slice texts[] = { canon_inside(key), canon_inside(value) };

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		if (!texts[i].at || texts[i].len > 256)
			return false;
		for (size_t k = 0; k < texts[i].len; k++) {
			char c = texts[i].at[k];

			if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			      slice_find(S(" :_@$#=/+,-."), c) != SLICE_NOT_FOUND))
				return false;
		}
	}
	return texts[0].len > 0;
}

static bool loses_metadata(struct slice rest)
{
	struct slice key, value;
	size_t count = 0;

	if (!rest.len || json_type_of(rest) != JSON_OBJECT)
		return false;
	while (json_next(&rest, &key, &value))
		if (!bedrock_fits_metadata(key, value) || ++count > BEDROCK_METADATA_MAX)
			return true;
	return false;
}

bool bedrock_knows_tier(struct slice tier)
{
	static const struct slice tiers[] = {
		S_INIT("default"), S_INIT("flex"), S_INIT("priority"), S_INIT("reserved"),
	};

	for (size_t i = 0; i < COUNT_OF(tiers); i++)
		if (slice_eq(tier, tiers[i]))
			return true;
	return false;
}

static bool thinks(const struct canon_request *r, struct slice model)
{
	return bedrock_says_thinking(r, model) && !is_off(r);
}

/* Nova takes no parameters of sampling where it is to think hard. */
static bool thinks_hard(const struct canon_request *r, struct slice model)
{
	return thinks(r, model) && slice_eq(plain_effort(r), S("high"));
}

#define SAMPLING (CANON_HAS(TEMPERATURE) | CANON_HAS(TOP_P) | CANON_HAS(TOP_K))

static uint64_t claude_lacks(const struct canon_request *r, struct slice model, uint64_t *softly)
{
	unsigned version = anthropic_version(model);
	bool asked = !is_off(r) && (r->effort.len || r->think_budget > 0 || r->think_auto);
	uint64_t lacks = version >= 47 ? SAMPLING : 0;

	if (thinks(r, model))
		lacks |= losses_beside_thinking(r);
	else if (asked && is_forced(r))
		lacks |= CANON_HAS(EFFORT) | CANON_HAS(THINK_BUDGET);
	else if (asked)                      /* too little room, or calls that were not thought about */
		*softly |= CANON_HAS(EFFORT) | CANON_HAS(THINK_BUDGET);
	return lacks;
}

bool bedrock_refuses_temperature(const struct canon_request *r, struct slice model)
{
	switch (bedrock_family_of(model)) {
	case BEDROCK_CLAUDE:
		return anthropic_version(model) >= 47 || thinks(r, model);
	case BEDROCK_NOVA:
		return thinks_hard(r, model);
	case BEDROCK_GPT: case BEDROCK_COHERE: case BEDROCK_OTHER:
		break;
	}
	return false;
}

uint64_t bedrock_lacks(const struct canon_request *r, const struct codec_target *target, uint64_t *softly)
{
	enum bedrock_family family = bedrock_family_of(target->model);
	uint64_t lacks = 0;

	if (family == BEDROCK_CLAUDE)
		lacks = claude_lacks(r, target->model, softly);
	else if (family == BEDROCK_NOVA && thinks_hard(r, target->model))
		lacks = SAMPLING;
	if (losses_outside(r->temperature, 0, 1000))
		lacks |= CANON_HAS(TEMPERATURE);
	if (r->cache_key.len)
		*softly |= CANON_HAS(CACHE_HINT);
	if (loses_metadata(r->metadata))
		*softly |= CANON_HAS(METADATA);
	if (!bedrock_knows_tier(r->service_tier) && !slice_eq(r->service_tier, S("auto")))
		*softly |= CANON_HAS(SERVICE_TIER);
	if (losses_foreign_thinking(r, S("bedrock")) &&
	    (family != BEDROCK_CLAUDE || losses_foreign_thinking(r, S("anthropic"))))
		*softly |= CANON_HAS(THINK_PARTS);
	return lacks;
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
