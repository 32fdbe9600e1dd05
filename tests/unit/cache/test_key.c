/* Which requests are the same question. */
#include "cm.h"

#include "base/check.h"
#include "cache/key.h"

static const struct slice ignored[] = { S_INIT("stream"), S_INIT("user") };
static const struct canonical_default defaults[] = {
	{ S_INIT("n"), S_INIT("1") }, { S_INIT("response_format"), S_INIT("{\"type\":\"text\"}") },
};
static const struct canonical_rules rules = { ignored, COUNT_OF(ignored), defaults, COUNT_OF(defaults) };

static bool same(const char *a, const char *b)
{
	struct buf x = BUF_INIT(1 << 20), y = BUF_INIT(1 << 20);
	struct arena *arena = arena_create(0);
	bool equal;

	assert_true(cache_canonical(arena, slice_of(a), &rules, &x));
	assert_true(cache_canonical(arena, slice_of(b), &rules, &y));
	equal = slice_eq(buf_slice(&x), buf_slice(&y));
	arena_free(arena);
	buf_free(&x);
	buf_free(&y);
	return equal;
}

static void spelling_does_not_matter(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"a\":1,\"b\":2}", " { \"b\" : 2 ,\n\"a\":1 } " },
		{ "{\"a\":{\"x\":1,\"y\":[1,2]}}", "{\"a\":{\"y\":[1, 2],\"x\":1}}" },
		{ "{\"t\":1}", "{\"t\":1.0}" },
		{ "{\"t\":1}", "{\"t\":10e-1}" },
		{ "{\"t\":100}", "{\"t\":1E+2}" },
		{ "{\"t\":0}", "{\"t\":-0.0e7}" },
		{ "{\"t\":0.7}", "{\"t\":0.700}" },
		{ "{\"m\":\"caf\\u00e9\"}", "{\"m\":\"caf\xc3\xa9\"}" },
		{ "{\"m\":\"a/b\"}", "{\"\\u006d\":\"a\\/b\"}" },
		{ "{\"m\":1}", "{\"m\":1,\"stream\":true,\"user\":\"ann\"}" },
		{ "{\"m\":1}", "{\"m\":1,\"n\":1.0,\"stop\":null}" },
		{ "{\"m\":1}", "{\"response_format\":{ \"type\": \"text\" },\"m\":1}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (!same(rows[i][0], rows[i][1]))
			fail_msg("not the same: %s and %s", rows[i][0], rows[i][1]);
}

static void what_changes_the_answer_does(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"m\":[1,2]}", "{\"m\":[2,1]}" },
		{ "{\"m\":\"1\"}", "{\"m\":1}" },
		{ "{\"m\":\"a\"}", "{\"m\":\"A\"}" },
		{ "{\"m\":\"a\"}", "{\"m\":\"a \"}" },
		{ "{\"m\":1}", "{\"m\":1,\"n\":2}" },
		{ "{\"m\":1}", "{\"m\":1,\"seed\":0}" },
		{ "{\"m\":9007199254740993}", "{\"m\":9007199254740992}" },
		{ "{\"m\":0.1}", "{\"m\":0.10000000000000001}" },
		{ "{\"m\":1}", "{\"m\":-1}" },
		{ "{\"m\":1e999999999999}", "{\"m\":1e999999999998}" },
		{ "{\"m\":{\"user\":\"a\"}}", "{\"m\":{\"user\":\"b\"}}" },
		{ "{\"m\":{\"n\":1}}", "{\"m\":{}}" },
		{ "{\"m\":{\"x\":null}}", "{\"m\":{}}" },
		{ "{\"m\":\"\\ud800\"}", "{\"m\":\"\\ud801\"}" },
		{ "{\"m\":1,\"m\":2}", "{\"m\":2,\"m\":1}" },
		{ "{\"m\":\"},{\"}", "{\"m\":\"},\",\"\":\"{\"}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (same(rows[i][0], rows[i][1]))
			fail_msg("the same: %s and %s", rows[i][0], rows[i][1]);
}

static void what_is_no_object_has_no_form(void **state)
{
	struct arena *arena = arena_create(0);
	struct buf out = BUF_INIT(64);

	(void)state;
	assert_false(cache_canonical(arena, S("[1]"), &rules, &out));
	assert_false(cache_canonical(arena, S("{\"a\":"), &rules, &out));
	assert_false(cache_canonical(arena, S("{\"a\":\"0123456789012345678901234567890123456789"
					     "01234567890123456789012345678901234567890\"}"), &rules, &out));
	buf_free(&out);
	arena_free(arena);
}

static void numbers_in_thousandths(void **state)
{
	static const struct { const char *text; bool good; int64_t milli; } rows[] = {
		{ "0", true, 0 }, { "1", true, 1000 }, { "0.7", true, 700 }, { "7e-1", true, 700 },
		{ "1.9999", true, 1999 }, { "-0.5", true, -500 }, { "1e3", true, 1000000 },
		{ "1e-30", true, 0 }, { "1e30", false, 0 }, { "\"1\"", false, 0 }, { "true", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int64_t milli = 0;

		assert_int_equal(cache_number_milli(slice_of(rows[i].text), &milli), rows[i].good);
		assert_int_equal(milli, rows[i].milli);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spelling_does_not_matter),
		cmocka_unit_test(what_changes_the_answer_does),
		cmocka_unit_test(what_is_no_object_has_no_form),
		cmocka_unit_test(numbers_in_thousandths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
