/* prices.c: what tokens cost: the config's rows, and behind them the built-in
 * table, which is a text of the same form. */
#include "config/inside.h"

#include "observe/price.h"

#define PRICES_MAX 4096
#define PRICE_MAX_USD 10000           /* see price_cost() */
#define FRACTION_DIGITS 6

const char *value_dollars(struct slice s, uint64_t max, const char *above, int64_t *out)
{
	struct slice whole = s, fraction = SLICE_NONE;
	uint64_t dollars, millionths = 0;

	(void)slice_cut(s, '.', &whole, &fraction);
	if (!slice_to_u64(whole, &dollars))
		return "is no amount in US dollars; write it like 2.50";
	if (dollars > max)
		return above;
	if (whole.len != s.len && (!slice_to_u64(fraction, &millionths) || fraction.len > FRACTION_DIGITS))
		return "has no fraction of 1 to 6 digits; write it like 0.075";
	for (size_t i = fraction.len; i < FRACTION_DIGITS; i++)
		millionths *= 10;
	*out = (int64_t)(dollars * 1000000 + millionths);
	return NULL;
}

static bool read_dollars(struct reader *r, const char *key, const struct node *n, int64_t *out)
{
	struct slice text;
	const char *wrong;

	if (!scalar_of(r, key, n, &text))
		return false;
	wrong = value_dollars(text, PRICE_MAX_USD, "is above 10,000 dollars; prices are for a million tokens",
			      out);
	if (wrong)
		complain_at(r, n, "\"%s\": %s %s", key, quote(r, n->written), wrong);
	return !wrong;
}

static bool read_price(struct reader *r, const struct member *m, struct price *p)
{
	struct raw_price raw = { 0 };
	size_t star = slice_find(m->key, '*');

	if (m->key.len == 0 || m->key.len > 320 || (star != SLICE_NOT_FOUND && star + 1 != m->key.len)) {
		complain(r, m->line, m->column, "%s is no name for a price; write MODEL or BACKEND/MODEL, a "
			 "star only at its end", quote(r, m->key));
		return false;
	}
	if (!section_read(r, &section_price, m->value, &raw) || !raw.input || !raw.output)
		return false;
	p->model = arena_copy(r->arena, m->key);
	if (!read_dollars(r, "input", raw.input, &p->input_pico) ||
	    !read_dollars(r, "output", raw.output, &p->output_pico))
		return false;
	p->cached_pico = p->input_pico;
	return !raw.cached || read_dollars(r, "cached", raw.cached, &p->cached_pico);
}

static size_t read_prices(struct reader *r, const struct node *n, struct price *prices, bool built_in)
{
	size_t count = 0;

	for (size_t i = 0; i < n->count; i++) {
		prices[count].built_in = built_in;
		count += read_price(r, &n->members[i], &prices[count]);
	}
	return count;
}

void build_prices(struct reader *r, const struct raw_top *top)
{
	const struct node *own = top->prices;
	const struct node *known = yaml_read(r, config_default_prices);
	struct price *prices;
	size_t count = 0;

	must(known != NULL && known->kind == NODE_MAP);
	if (own && (own->kind != NODE_MAP || own->count > PRICES_MAX)) {
		complain_at(r, own, "\"prices\" needs a mapping of at most %d models; write prices: {MODEL: "
			    "{input: 2, output: 10}}", PRICES_MAX);
		own = NULL;
	}
	prices = arena_array(r->arena, struct price, known->count + (own ? own->count : 0));
	if (own)
		count = read_prices(r, own, prices, false);
	count += read_prices(r, known, &prices[count], true);
	r->config->prices = (struct price_table){ prices, count };
}
