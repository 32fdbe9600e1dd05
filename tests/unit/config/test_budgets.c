/* What the config says may be spent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_world.h"

static const struct fake_pair nothing[] = { { NULL, NULL } };
static const struct fake_world world = { nothing, nothing };

static struct config *parse(const char *spending, struct buf *errors)
{
	struct config_source source = fake_source(&world);
	struct buf text = BUF_INIT(65536);
	struct config *c;

	buf_putf(&text, "keys:\n  - {name: web, key: web-key-0123456789, group: team}\n"
		 "backends:\n  a: {url: 'http://a/v1'}\n"
		 "prices: {m: {input: 2, output: 8}}\nmodels:\n  chat: [a/m]\n  free: [a/own]\n%s", spending);
	c = config_parse(S("/etc/f"), buf_slice(&text), &source, errors);
	buf_free(&text);
	return c;
}

static bool is_noted(const struct config *c, const char *what)
{
	for (size_t i = 0; i < c->note_count; i++)
		if (slice_find_slice(c->notes[i], slice_of(what)) != SLICE_NOT_FOUND)
			return true;
	return false;
}

static void budgets_are_read(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct config *c = parse("spending:\n  state: spent\n  budgets:\n"
				 "    one: {cost: 0.75, per: hour, keys: web, models: [chat, free], alert: 50%, then: refuse}\n"
				 "    two: {tokens: 2000000, keys: [team], then: cheaper}\n", &errors);
	const struct budget_policy *b;

	(void)state;
	if (!c)
		fail_msg("%.*s", SLICE_ARG(buf_slice(&errors)));
	b = c->budgets.budgets;
	assert_int_equal(c->budgets.count, 2);
	assert_true(slice_eq(c->budgets.state_path, S("/etc/spent")));
	assert_int_equal(b[0].cost_nano_usd, 750000000);
	assert_int_equal(b[0].tokens, 0);
	assert_int_equal(b[0].per, BUDGET_HOUR);
	assert_int_equal(b[0].near_milli, 50000);
	assert_int_equal(b[0].then, BUDGET_REFUSE);
	assert_int_equal(b[0].model_count, 2);
	assert_true(slice_eq(b[0].keys[0], S("web")));
	assert_int_equal(b[1].tokens, 2000000);
	assert_int_equal(b[1].cost_nano_usd, 0);
	assert_int_equal(b[1].per, BUDGET_DAY);
	assert_int_equal(b[1].near_milli, 80000);
	assert_int_equal(b[1].then, BUDGET_CHEAPER);
	assert_true(is_noted(c, "budget one does not count what target a/own costs"));
	assert_false(is_noted(c, "budget two"));
	assert_false(is_noted(c, "forgotten at a restart"));
	/* What is to be compared by price: input counts three times. */
	assert_int_equal(c->models[0].targets[0].dearness, 14000000);
	assert_int_equal(c->models[1].targets[0].dearness, ROUTE_DEAREST);
	config_give(c);
	c = parse("spending: {budgets: {all: {cost: 5}}}\n", &errors);
	assert_non_null(c);
	assert_true(is_noted(c, "forgotten at a restart"));
	assert_int_equal(c->budgets.budgets[0].then, BUDGET_ALERT);
	config_give(c);
	buf_free(&errors);
}

static void mistakes_are_named(void **state)
{
	static const struct { const char *spending, *complaint; } rows[] = {
		{ "spending: {}\n", "budgets" },
		{ "spending: {budgets: []}\n", "\"budgets\" needs a mapping" },
		{ "spending: {budgets: {a: {per: day}}}\n", "needs a \"cost\" in US dollars" },
		{ "spending: {budgets: {a: {cost: x}}}\n", "\"x\" is no amount in US dollars" },
		{ "spending: {budgets: {a: {cost: 0}}}\n", "is nothing" },
		{ "spending: {budgets: {a: {cost: 2000000000}}}\n", "is above 1,000,000,000 dollars" },
		{ "spending: {budgets: {a: {tokens: 0}}}\n", "is not between 1 and" },
		{ "spending: {budgets: {a: {tokens: 1M}}}\n", "is not a whole number" },
		{ "spending: {budgets: {a: {cost: 1, per: week}}}\n", "week" },
		{ "spending: {budgets: {a: {cost: 1, then: refused}}}\n", "did you mean \"refuse\"" },
		{ "spending: {budgets: {a: {cost: 1, keys: nobody}}}\n", "no client key or group of them named \"nobody\"" },
		{ "spending: {budgets: {a: {cost: 1, models: [chat, chap]}}}\n", "no model \"chap\"" },
		{ "spending: {budgets: {a: {cost: 1, models: []}}}\n", "a name or a list of 1" },
		{ "spending: {budgets: {a: {limit: 1}}}\n", "write \"cost\" or \"tokens\"" },
		{ "spending: {budgets: {'a b': {cost: 1}}}\n", "is no name for a budget" },
		{ "budgets: {a: {cost: 1}}\n", "write spending: {budgets" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf errors = BUF_INIT(65536);

		assert_null(parse(rows[i].spending, &errors));
		if (slice_find_slice(buf_slice(&errors), slice_of(rows[i].complaint)) == SLICE_NOT_FOUND)
			fail_msg("%s: %.*s", rows[i].spending, SLICE_ARG(buf_slice(&errors)));
		buf_free(&errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(budgets_are_read),
		cmocka_unit_test(mistakes_are_named),
	};

	return cmocka_run_group_tests_name("config budgets", tests, NULL, NULL);
}
