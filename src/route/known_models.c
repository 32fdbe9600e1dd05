/* known_models.c: what vendors have published of their models (looked up in 2026-11). It is
 * used to leave a target out, so what is not certain is not here; names that come to stand for
 * other models are not here either, unless what is said holds for all of these. */
#include "route/known_models.h"

#define TEXT_ONLY (CAN_IMAGES | CAN_AUDIO)
#define REASONS KNOWN_REASONS
#define PREFILLS KNOWN_PREFILLS

static const struct known_model models[] = {
	/* OpenAI: developers.openai.com/api/docs/models, one page a model. Where it tells a
	 * maximum input beside the window, that is what counts here. Reasoning is on unless
	 * asked otherwise for the o models and GPT-5; from 5.1 on it depends on the effort. */
	{ S_INIT("gpt-3.5-turbo"), 16385, TEXT_ONLY | CAN_SCHEMA, 0 },
	{ S_INIT("gpt-4"), 8192, TEXT_ONLY | CAN_SCHEMA, 0 },
	{ S_INIT("gpt-4-turbo"), 128000, CAN_AUDIO | CAN_SCHEMA, 0 },
	{ S_INIT("gpt-4o"), 128000, CAN_AUDIO, 0 },
	{ S_INIT("gpt-4o-mini"), 128000, CAN_AUDIO, 0 },
	{ S_INIT("gpt-4.1"), 1047576, CAN_AUDIO, 0 },
	{ S_INIT("gpt-4.1-mini"), 1047576, CAN_AUDIO, 0 },
	{ S_INIT("gpt-4.1-nano"), 1047576, CAN_AUDIO, 0 },
	{ S_INIT("gpt-5"), 272000, CAN_AUDIO, REASONS },
	{ S_INIT("gpt-5-mini"), 272000, CAN_AUDIO, REASONS },
	{ S_INIT("gpt-5-nano"), 272000, CAN_AUDIO, REASONS },
	{ S_INIT("gpt-5-pro"), 272000, CAN_AUDIO, REASONS },
	{ S_INIT("gpt-5-codex"), 272000, CAN_AUDIO, REASONS },
	{ S_INIT("gpt-5.1"), 272000, CAN_AUDIO, 0 },
	{ S_INIT("gpt-5.2"), 272000, CAN_AUDIO, 0 },
	{ S_INIT("gpt-5.4"), 922000, CAN_AUDIO, 0 },
	{ S_INIT("gpt-5.4-mini"), 272000, CAN_AUDIO, 0 },
	{ S_INIT("gpt-5.4-nano"), 272000, CAN_AUDIO, 0 },
	{ S_INIT("gpt-5.5"), 922000, CAN_AUDIO, REASONS },
	{ S_INIT("gpt-5.4-pro"), 922000, CAN_AUDIO, REASONS },
	{ S_INIT("gpt-5.5-pro"), 922000, CAN_AUDIO, REASONS },
	{ S_INIT("gpt-oss-20b"), 131072, TEXT_ONLY, REASONS },
	{ S_INIT("gpt-oss-120b"), 131072, TEXT_ONLY, REASONS },
	{ S_INIT("o1"), 200000, CAN_AUDIO, REASONS },
	{ S_INIT("o1-pro"), 200000, CAN_AUDIO, REASONS },
	{ S_INIT("o3"), 200000, CAN_AUDIO, REASONS },
	{ S_INIT("o3-pro"), 200000, CAN_AUDIO, REASONS },
	{ S_INIT("o4-mini"), 200000, CAN_AUDIO, REASONS },
	{ S_INIT("o3-mini"), 200000, TEXT_ONLY, REASONS },
	/* Anthropic: platform.claude.com/docs/en/models (one page a model), and its migration
	 * guides: from 4.6 on an assistant's message at the end is refused with 400; from
	 * Sonnet 5 on it thinks unless told not to. */
	{ S_INIT("claude-3-haiku"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-3-sonnet"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-3-opus"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-3-5-haiku"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-3-5-sonnet"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-3-7-sonnet"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-sonnet-4"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-sonnet-4-0"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-opus-4"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-opus-4-0"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-opus-4-1"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-haiku-4-5"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-sonnet-4-5"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-opus-4-5"), 200000, CAN_AUDIO, PREFILLS },
	{ S_INIT("claude-sonnet-4-6"), 1000000, CAN_AUDIO, 0 },
	{ S_INIT("claude-opus-4-6"), 1000000, CAN_AUDIO, 0 },
	{ S_INIT("claude-opus-4-7"), 1000000, CAN_AUDIO, 0 },
	{ S_INIT("claude-opus-4-8"), 1000000, CAN_AUDIO, 0 },
	{ S_INIT("claude-opus-5"), 1000000, CAN_AUDIO, 0 },
	{ S_INIT("claude-sonnet-5"), 1000000, CAN_AUDIO, REASONS },
	{ S_INIT("claude-sonnet-5-5"), 1000000, CAN_AUDIO, REASONS },
	{ S_INIT("claude-opus-5-5"), 1000000, CAN_AUDIO, REASONS },
	{ S_INIT("claude-fable-5"), 1000000, CAN_AUDIO, REASONS },
	{ S_INIT("claude-fable-5-1"), 1000000, CAN_AUDIO, REASONS },
	{ S_INIT("claude-fable-5-2"), 1000000, CAN_AUDIO, REASONS },
	/* Google: ai.google.dev/gemini-api/docs/models; thinking is on by default from 2.5 on, but
	 * for the lite ones. */
	{ S_INIT("gemini-2.0-flash"), 1048576, 0, 0 },
	{ S_INIT("gemini-2.0-flash-lite"), 1048576, 0, 0 },
	{ S_INIT("gemini-2.5-flash-lite"), 1048576, 0, 0 },
	{ S_INIT("gemini-3.1-flash-lite"), 1048576, 0, 0 },
	{ S_INIT("gemini-2.5-flash"), 1048576, 0, REASONS },
	{ S_INIT("gemini-2.5-pro"), 1048576, 0, REASONS },
	{ S_INIT("gemini-3-flash-preview"), 1048576, 0, REASONS },
	{ S_INIT("gemini-3.1-pro-preview"), 1048576, 0, REASONS },
	{ S_INIT("gemini-3.5-flash"), 1048576, 0, REASONS },
	{ S_INIT("gemini-3.8-flash"), 1048576, 0, REASONS },
	/* Groq: console.groq.com/docs/models, .../docs/prefilling. */
	{ S_INIT("llama-3.1-8b-instant"), 131072, TEXT_ONLY, PREFILLS },
	{ S_INIT("llama-3.3-70b-versatile"), 131072, TEXT_ONLY, PREFILLS },
	/* DeepSeek: api-docs.deepseek.com; what the name stands for changes, that it thinks does not. */
	{ S_INIT("deepseek-reasoner"), 0, 0, REASONS },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The name itself, or a dated edition of it ("-2024-08-06", "-0613", "-latest"). */
static bool is_edition(struct slice name, struct slice of)
{
	struct slice rest;

	if (!slice_starts_nocase(name, of))
		return false;
	rest = slice_from(name, of.len);
	if (rest.len == 0 || slice_eq_nocase(rest, S("-latest")))
		return true;
	return rest.len > 4 && rest.at[0] == '-' && is_digit(rest.at[1]) && is_digit(rest.at[2]) &&
	       is_digit(rest.at[3]) && is_digit(rest.at[4]);
}

const struct known_model *known_model_find(struct slice model)
{
	struct slice vendor, name = model;

	while (slice_cut(name, '/', &vendor, &model))
		name = model;
	for (size_t i = 0; i < sizeof models / sizeof *models; i++)
		if (is_edition(name, models[i].prefix))
			return &models[i];
	return NULL;
}
