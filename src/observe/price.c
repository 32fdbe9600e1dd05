#include "observe/price.h"

#include "base/check.h"

#define TOKENS_MAX ((int64_t)100000000)       /* of a try: more cannot have been; no sum overflows */

static char plain(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c + ('a' - 'A'));
	return c == '.' ? '-' : c;
}

static bool begins(struct slice s, struct slice with)
{
	if (s.len < with.len)
		return false;
	for (size_t i = 0; i < with.len; i++)
		if (plain(s.at[i]) != plain(with.at[i]))
			return false;
	return true;
}

static size_t digits_at(struct slice s, size_t at)
{
	size_t n = 0;

	while (at + n < s.len && s.at[at + n] >= '0' && s.at[at + n] <= '9')
		n++;
	return n;
}

/* Does a name go on with nothing but a version? */
static bool is_version(struct slice rest)
{
	if (rest.len == 0 || rest.at[0] == '@' || rest.at[0] == ':')
		return true;
	if (rest.at[0] != '-')
		return false;
	return digits_at(rest, 1) >= 3 || slice_eq(rest, S("-latest")) ||
	       (rest.len > 2 && rest.at[1] == 'v' && digits_at(rest, 2) > 0);
}

/* `row` at the beginning of `name`. */
static bool fits(struct slice row, struct slice name)
{
	if (row.len && row.at[row.len - 1] == '*')
		return begins(name, slice_sub(row, 0, row.len - 1));
	return begins(name, row) && is_version(slice_from(name, row.len));
}

static bool fits_model(struct slice row, struct slice model)
{
	if (fits(row, model))
		return true;
	for (size_t i = 0; i + 1 < model.len; i++)
		if ((model.at[i] == '/' || model.at[i] == '.') && fits(row, slice_from(model, i + 1)))
			return true;
	return false;
}

static bool fits_backend(struct slice row, struct slice backend, struct slice model)
{
	size_t n = backend.len;

	return row.len > n + 1 && slice_starts(row, backend) && row.at[n] == '/' &&
	       fits(slice_from(row, n + 1), model);
}

const struct price *price_find(const struct price_table *t, struct slice backend, struct slice model)
{
	const struct price *best = NULL;

	for (size_t i = 0; i < t->count; i++) {
		const struct price *p = &t->prices[i];

		if (best && !best->built_in && p->built_in)
			break;                        /* they stand behind the config's */
		if (best && p->model.len <= best->model.len)
			continue;
		if (fits_model(p->model, model) || fits_backend(p->model, backend, model))
			best = p;
	}
	return best;
}

static int64_t bounded(int64_t tokens)
{
	return tokens < 0 ? 0 : tokens < TOKENS_MAX ? tokens : TOKENS_MAX;
}

int64_t price_cost(const struct price *p, const struct spent *s)
{
	int64_t input = bounded(s->input_tokens), cached = bounded(s->cached_tokens);
	int64_t pico;

	if (cached > input)
		cached = input;
	pico = (input - cached) * p->input_pico + cached * p->cached_pico +
	       bounded(s->output_tokens) * p->output_pico;
	return (pico + 500) / 1000;
}
