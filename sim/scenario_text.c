/* scenario_text.c: a line of a scenario in words. */
#include "sim/scenario_inside.h"

#include <string.h>

static char unescape(char c)
{
	switch (c) {
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	default: return c;
	}
}

static struct slice take_quoted(struct words *w)
{
	char *out = arena_alloc(w->arena, w->rest.len + 1);
	size_t len = 0, i = 1;

	for (; i < w->rest.len && w->rest.at[i] != '"'; i++) {
		if (w->rest.at[i] == '\\' && i + 1 < w->rest.len)
			out[len++] = unescape(w->rest.at[++i]);
		else
			out[len++] = w->rest.at[i];
	}
	w->rest = slice_from(w->rest, i < w->rest.len ? i + 1 : i);
	return (struct slice){ out, len };
}

static struct slice take_json(struct words *w)
{
	struct slice all = w->rest;
	bool in_string = false;
	size_t i = 0, depth = 0;

	for (; i < all.len; i++) {
		char c = all.at[i];

		if (in_string && c == '\\') {
			i++;
			continue;
		}
		if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '['))
			depth++;
		else if (!in_string && (c == '}' || c == ']') && --depth == 0)
			break;
	}
	i = i < all.len ? i + 1 : all.len;
	w->rest = slice_from(all, i);
	return slice_sub(all, 0, i);
}

bool words_next(struct words *w, struct slice *word)
{
	size_t len = 0;

	w->rest = slice_trim(w->rest);
	if (!w->rest.len)
		return false;
	if (w->rest.at[0] == '"') {
		*word = take_quoted(w);
		return true;
	}
	if (w->rest.at[0] == '{') {
		*word = take_json(w);
		return true;
	}
	while (len < w->rest.len && w->rest.at[len] != ' ' && w->rest.at[len] != '\t')
		len++;
	*word = slice_sub(w->rest, 0, len);
	w->rest = slice_from(w->rest, len);
	return true;
}

bool words_take(struct words *w, const char *word)
{
	struct words ahead = *w;
	struct slice next;

	if (!words_next(&ahead, &next) || !slice_eq(next, slice_of(word)))
		return false;
	*w = ahead;
	return true;
}

bool time_parse(struct slice text, int64_t *ms)
{
	static const struct { struct slice unit; int64_t ms; } units[] = {
		{ S_INIT("ms"), 1 }, { S_INIT("s"), 1000 }, { S_INIT("m"), 60000 },
		{ S_INIT("h"), 3600000 },
	};
	int64_t milli;

	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (!slice_ends(text, units[i].unit))
			continue;
		if (!slice_to_milli(slice_sub(text, 0, text.len - units[i].unit.len), &milli))
			return false;
		*ms = milli * units[i].ms / 1000;
		return true;
	}
	return false;
}

bool words_time(struct words *w, int64_t *ms)
{
	struct words ahead = *w;
	struct slice word;

	if (!words_next(&ahead, &word) || !time_parse(word, ms))
		return false;
	*w = ahead;
	return true;
}

bool words_number(struct words *w, uint64_t *n)
{
	struct words ahead = *w;
	struct slice word;

	if (!words_next(&ahead, &word) || !slice_to_u64(word, n))
		return false;
	*w = ahead;
	return true;
}

struct slice words_rest(struct words *w)
{
	struct slice rest = slice_trim(w->rest);

	w->rest = SLICE_NONE;
	return rest;
}
