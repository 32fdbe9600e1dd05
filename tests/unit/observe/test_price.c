#include "tests/unit/base/cm.h"

#include "base/check.h"
#include "observe/price.h"

static const struct price prices[] = {
	{ .model = S_INIT("gpu/*"), .input_pico = 1 },
	{ .model = S_INIT("claude-sonnet-4"), .input_pico = 2 },
	{ .model = S_INIT("eu/gpt-5"), .input_pico = 3 },
	{ .model = S_INIT("gpt-5"), .input_pico = 4, .built_in = true },
	{ .model = S_INIT("gpt-5-mini"), .input_pico = 5, .built_in = true },
	{ .model = S_INIT("claude-sonnet-4"), .input_pico = 6, .built_in = true },
	{ .model = S_INIT("claude-sonnet-4-5"), .input_pico = 7, .built_in = true },
	{ .model = S_INIT("gemini-2.5-flash"), .input_pico = 8, .built_in = true },
	{ .model = S_INIT("gpt-4"), .input_pico = 9, .built_in = true },
};

static void a_model_finds_its_price(void **state)
{
	static const struct price_table table = { prices, COUNT_OF(prices) };
	static const struct { const char *backend, *model; int64_t found; } rows[] = {
		{ "openai", "gpt-5", 4 },
		{ "eu", "gpt-5", 3 },
		{ "openai", "gpt-5-2025-08-07", 4 },
		{ "openai", "gpt-5-mini", 5 },
		{ "openai", "gpt-5-mini-2025-08-07", 5 },
		{ "openai", "gpt-5-pro", 0 },         /* another model, not a version */
		{ "openai", "gpt-5.1", 0 },
		{ "openai", "gpt-4-0613", 9 },
		{ "openai", "gpt-4-1106-preview", 9 },
		{ "openai", "gpt-4-turbo", 0 },
		{ "openai", "my-gpt-5", 0 },
		{ "router", "openai/gpt-5-mini", 5 },
		{ "claude", "claude-sonnet-4-20250514", 2 },
		{ "router", "anthropic/claude-sonnet-4.5", 7 },
		{ "bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 7 },
		{ "google", "gemini-2.5-flash-001", 8 },
		{ "google", "Gemini-2.5-Flash", 8 },
		{ "google", "models/gemini-2.5-flash-latest", 8 },
		{ "google", "gemini-2.5-flash-lite", 0 },
		{ "gpu", "anything", 1 },
		{ "gpu", "gpt-5", 1 },                /* the config's, though shorter */
		{ "gpu2", "anything", 0 },
		{ "openai", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct price *p = price_find(&table, slice_of(rows[i].backend), slice_of(rows[i].model));
		int64_t found = p ? p->input_pico : 0;

		if (found != rows[i].found)
			fail_msg("%s/%s: %lld instead of %lld", rows[i].backend, rows[i].model, (long long)found,
				 (long long)rows[i].found);
	}
}

static void costs_are_exact(void **state)
{
	/* gpt-5: 1.25, 0.125 and 10 dollars */
	static const struct price p = { .input_pico = 1250000, .cached_pico = 125000, .output_pico = 10000000 };
	static const struct { struct spent spent; int64_t nano; } rows[] = {
		{ { .input_tokens = 0 }, 0 },
		{ { .input_tokens = 1 }, 1250 },
		{ { .input_tokens = 1000000, .output_tokens = 1000000 }, 11250000000 },
		{ { .input_tokens = 1000, .cached_tokens = 1000 }, 125000 },
		{ { .input_tokens = 1000, .cached_tokens = 400, .output_tokens = 10, .reasoning_tokens = 8 },
		  900000 },
		{ { .input_tokens = 10, .cached_tokens = 999 }, 1250 },
		{ { .input_tokens = -5, .output_tokens = -5, .cached_tokens = -5 }, 0 },
	};
	const struct price dear = { .input_pico = 10000000000, .cached_pico = 0, .output_pico = 10000000000 };
	const struct spent much = { .input_tokens = INT64_MAX, .output_tokens = INT64_MAX };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(price_cost(&p, &rows[i].spent), rows[i].nano);
	assert_true(price_cost(&dear, &much) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_model_finds_its_price),
		cmocka_unit_test(costs_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
