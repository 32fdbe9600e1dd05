/* anthropic_words.c: the words of the Messages API and their meaning. */
#include "dialect/anthropic.h"

#include "base/check.h"
#include "dialect/openai.h"

#include <stddef.h>

enum anthropic_block anthropic_block_of(struct slice raw_type)
{
	static const struct { struct slice word; enum anthropic_block block; } rows[] = {
		{ S_INIT("text"), ANTHROPIC_TEXT },
		{ S_INIT("thinking"), ANTHROPIC_THINKING },
		{ S_INIT("redacted_thinking"), ANTHROPIC_REDACTED },
		{ S_INIT("tool_use"), ANTHROPIC_TOOL_USE },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (json_string_eq(raw_type, rows[i].word))
			return rows[i].block;
	return ANTHROPIC_OTHER;
}

/* ---- why it ends ------------------------------------------------------------------ */

/* The first row of a canonical reason is how it is written. */
static const struct { struct slice word; enum canon_finish finish; } reasons[] = {
	{ S_INIT("end_turn"), CANON_FINISH_STOP },
	{ S_INIT("max_tokens"), CANON_FINISH_LENGTH },
	{ S_INIT("tool_use"), CANON_FINISH_CALLS },
	{ S_INIT("stop_sequence"), CANON_FINISH_STOP_WORD },
	{ S_INIT("pause_turn"), CANON_FINISH_PAUSE },
	{ S_INIT("compaction"), CANON_FINISH_PAUSE },              /* beta: asked again, it goes on */
	{ S_INIT("refusal"), CANON_FINISH_REFUSAL },
	{ S_INIT("refusal"), CANON_FINISH_FILTER },
	{ S_INIT("model_context_window_exceeded"), CANON_FINISH_CONTEXT },
};

enum canon_finish anthropic_finish_of(struct slice raw)
{
	for (size_t i = 0; i < COUNT_OF(reasons); i++)
		if (json_string_eq(raw, reasons[i].word))
			return reasons[i].finish;
	return CANON_FINISH_STOP;
}

struct slice anthropic_stop_reason(enum canon_finish f)
{
	for (size_t i = 0; i < COUNT_OF(reasons); i++)
		if (reasons[i].finish == f)
			return reasons[i].word;
	return S("end_turn");
}

/* ---- usage ------------------------------------------------------------------------- */

static bool read_count(struct slice object, struct slice name, int64_t *out)
{
	int64_t count;

	if (!json_i64(json_member(object, name), &count) || count < 0)
		return false;
	*out = count;
	return true;
}

void anthropic_read_usage(struct slice raw, struct usage *usage)
{
	int64_t input = usage->input_tokens - usage->cached_tokens - usage->cache_write_tokens;
	bool any = false;

	if (json_is_nothing(raw) || json_type_of(raw) != JSON_OBJECT)
		return;
	any |= read_count(raw, S("input_tokens"), &input);
	any |= read_count(raw, S("cache_read_input_tokens"), &usage->cached_tokens);
	any |= read_count(raw, S("cache_creation_input_tokens"), &usage->cache_write_tokens);
	any |= read_count(raw, S("output_tokens"), &usage->output_tokens);
	read_count(json_member(raw, S("output_tokens_details")), S("thinking_tokens"),
		   &usage->reasoning_tokens);
	if (!any)
		return;
	usage->known = true;
	usage->input_tokens = input + usage->cached_tokens + usage->cache_write_tokens;
}

/* ---- errors ---------------------------------------------------------------------------- */

enum fault anthropic_read_error(struct arena *arena, const struct endpoint *endpoint, struct slice data,
				struct error_body *error)
{
	error_body_read(arena, data, error);
	if (!error->found)
		*error = (struct error_body){ .message = data, .type = S(""), .code = S(""),
					      .param = S("") };
	return openai_fault_of_error(endpoint, 0, error,
				     dialect_retry_hint_ms(NULL, error->raw, 0) >= 0);
}

/* ---- thinking of others ------------------------------------------------------------------ */

struct slice anthropic_mark(struct arena *arena, struct slice vendor, struct slice proof)
{
	return arena_printf(arena, "\"" ANTHROPIC_FOREIGN "%.*s.%.*s\"",
			    SLICE_ARG(vendor.len ? vendor : S("none")), SLICE_ARG(canon_inside(proof)));
}

bool anthropic_unmark(struct arena *arena, struct slice raw, struct slice *vendor, struct slice *proof)
{
	struct slice inside = canon_inside(raw), rest;

	if (!slice_starts(inside, S(ANTHROPIC_FOREIGN)))
		return false;
	rest = slice_from(inside, sizeof ANTHROPIC_FOREIGN - 1);
	*proof = SLICE_NONE;
	*vendor = SLICE_NONE;
	if (!slice_cut(rest, '.', vendor, &rest) || rest.len == 0 || slice_eq(*vendor, S("none"))) {
		*vendor = SLICE_NONE;
		return true;
	}
	*proof = arena_printf(arena, "\"%.*s\"", SLICE_ARG(rest));
	return true;
}
