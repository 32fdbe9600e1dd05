/* known_models.c: only what vendors have published of models that no longer
 * change. It is used to leave a target out, so what is not certain is not here. */
#include "route/known_models.h"

#define TEXT_ONLY (CAN_IMAGES | CAN_AUDIO)

static const struct known_model models[] = {
	{ S_INIT("gpt-3.5-turbo"),      16385,   TEXT_ONLY | CAN_SCHEMA },
	{ S_INIT("gpt-4"),              8192,    TEXT_ONLY | CAN_SCHEMA },
	{ S_INIT("gpt-4-32k"),          32768,   TEXT_ONLY | CAN_SCHEMA },
	{ S_INIT("gpt-4-turbo"),        128000,  CAN_AUDIO | CAN_SCHEMA },
	{ S_INIT("gpt-4o"),             128000,  CAN_AUDIO },
	{ S_INIT("gpt-4o-mini"),        128000,  CAN_AUDIO },
	{ S_INIT("gpt-4.1"),            1047576, CAN_AUDIO },
	{ S_INIT("gpt-4.1-mini"),       1047576, CAN_AUDIO },
	{ S_INIT("gpt-4.1-nano"),       1047576, CAN_AUDIO },
	{ S_INIT("gpt-5"),              400000,  CAN_AUDIO },
	{ S_INIT("gpt-5-mini"),         400000,  CAN_AUDIO },
	{ S_INIT("gpt-5-nano"),         400000,  CAN_AUDIO },
	{ S_INIT("gpt-oss-20b"),        131072,  TEXT_ONLY },
	{ S_INIT("gpt-oss-120b"),       131072,  TEXT_ONLY },
	{ S_INIT("o1"),                 200000,  CAN_AUDIO },
	{ S_INIT("o1-mini"),            128000,  TEXT_ONLY | CAN_TOOLS | CAN_SCHEMA },
	{ S_INIT("o3"),                 200000,  CAN_AUDIO },
	{ S_INIT("o3-mini"),            200000,  TEXT_ONLY },
	{ S_INIT("o4-mini"),            200000,  CAN_AUDIO },
	{ S_INIT("claude-3-haiku"),     200000,  CAN_AUDIO },
	{ S_INIT("claude-3-opus"),      200000,  CAN_AUDIO },
	{ S_INIT("claude-3-5-haiku"),   200000,  CAN_AUDIO },
	{ S_INIT("claude-3-5-sonnet"),  200000,  CAN_AUDIO },
	{ S_INIT("claude-3-7-sonnet"),  200000,  CAN_AUDIO },
	{ S_INIT("claude-haiku-4-5"),   200000,  CAN_AUDIO },
	{ S_INIT("claude-opus-4-5"),    200000,  CAN_AUDIO },
	{ S_INIT("gemini-1.5-pro"),     2097152, 0 },
	{ S_INIT("gemini-1.5-flash"),   1048576, 0 },
	{ S_INIT("gemini-2.0-flash"),   1048576, 0 },
	{ S_INIT("gemini-2.5-flash"),   1048576, 0 },
	{ S_INIT("gemini-2.5-pro"),     1048576, 0 },
	{ S_INIT("llama-3.1-8b-instant"),     131072, TEXT_ONLY },
	{ S_INIT("llama-3.3-70b-versatile"),  131072, TEXT_ONLY },
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
