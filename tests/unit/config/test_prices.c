/* What the config says of prices, and the built-in table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "fake_world.h"
#include "observe/price.h"

static const struct fake_pair nothing[] = { { NULL, NULL } };
static const struct fake_world world = { nothing, nothing };

static struct config *parse(const char *prices, struct buf *errors)
{
	struct config_source source = fake_source(&world);
	struct buf text = BUF_INIT(65536);
	struct config *c;

	buf_putf(&text, "backends:\n  openai: {url: 'http://a/v1'}\n  gpu: {url: 'http://b/v1'}\nmodels:\n"
		 "  chat: [openai/gpt-5-mini, gpu/qwen3, openai/nobody-knows]\n"
		 "  any/*: ['openai/*']\n%s", prices);
	c = config_parse(S("f"), buf_slice(&text), &source, errors);
	buf_free(&text);
	return c;
}

static void targets_get_their_prices(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct config *c = parse("prices:\n  gpu/*: {input: 0, output: 0.5}\n"
				 "  any-other: {input: 0.000001, output: 3, cached: .5e1}\n", &errors);
	const struct target_policy *t;

	(void)state;
	assert_null(c);
	assert_true(slice_find_slice(buf_slice(&errors), S("\"cached\": \".5e1\" is no amount")) !=
		    SLICE_NOT_FOUND);
	buf_clear(&errors);
	c = parse("prices:\n  gpu/*: {input: 0, output: 0.5}\n", &errors);
	assert_non_null(c);
	t = c->models[0].targets;
	assert_int_equal(t[0].price->input_pico, 250000);
	assert_int_equal(t[0].price->cached_pico, 25000);
	assert_int_equal(t[0].price->output_pico, 2000000);
	assert_int_equal(t[1].price->output_pico, 500000);
	assert_int_equal(t[1].price->cached_pico, 0);
	assert_null(t[2].price);
	assert_null(c->models[1].targets[0].price);           /* a pattern: known at each request */
	config_give(c);
	buf_free(&errors);
}

static void mistakes_are_named(void **state)
{
	static const struct { const char *prices, *complaint; } rows[] = {
		{ "prices: [a]\n", "\"prices\" needs a mapping" },
		{ "prices: {m: {input: 1}}\n", "lacks" },
		{ "prices: {m: {input: 1, output: x}}\n", "\"x\" is no amount in US dollars" },
		{ "prices: {m: {input: 1, output: 2.}}\n", "has no fraction of 1 to 6 digits" },
		{ "prices: {m: {input: 1, output: 2.1234567}}\n", "has no fraction of 1 to 6 digits" },
		{ "prices: {m: {input: 1, output: 10001}}\n", "is above 10,000 dollars" },
		{ "prices: {a*b: {input: 1, output: 1}}\n", "a star only at its end" },
		{ "prices: {m: {input: 1, output: 1, cache: 1}}\n", "did you mean \"cached\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf errors = BUF_INIT(65536);

		assert_null(parse(rows[i].prices, &errors));
		if (slice_find_slice(buf_slice(&errors), slice_of(rows[i].complaint)) == SLICE_NOT_FOUND)
			fail_msg("%s: %.*s", rows[i].prices, SLICE_ARG(buf_slice(&errors)));
		buf_free(&errors);
	}
}

/* A mistyped row would be a price of 0, or hide another. */
static void the_built_in_table_is_sane(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct config *c = parse("", &errors);
	size_t count;

	(void)state;
	assert_non_null(c);
	count = c->prices.count;
	assert_true(count > 60);
	for (size_t i = 0; i < count; i++) {
		const struct price *p = &c->prices.prices[i];

		assert_true(p->built_in);
		assert_true(p->input_pico > 0 && p->output_pico >= p->input_pico);
		assert_true(p->cached_pico > 0 && p->cached_pico <= p->input_pico);
		assert_ptr_equal(price_find(&c->prices, S("x"), p->model), p);
	}
	config_give(c);
	buf_free(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_get_their_prices),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(the_built_in_table_is_sane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
