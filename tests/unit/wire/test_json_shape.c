/* Members of several levels in one pass. */
#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { A, LIST, OBJECT, IN_X, IN_DEEP, DEEP_Y, FINDINGS };

static const struct json_name deep_names[] = { { S_INIT("y"), NULL } };
static const struct json_shape deep_shape = { deep_names, 1, DEEP_Y, JSON_LENGTH("y") };
static const struct json_name in_names[] = { { S_INIT("x"), NULL }, { S_INIT("deep"), &deep_shape } };
static const struct json_shape in_shape = { in_names, 2, IN_X, JSON_LENGTH("x") | JSON_LENGTH("deep") };
static const struct json_name names[] = {
	{ S_INIT("a"), NULL }, { S_INIT("list"), &in_shape }, { S_INIT("object"), &in_shape },
};
static const struct json_shape shape = { names, 3, A, JSON_LENGTH("a") | JSON_LENGTH("list") |
						      JSON_LENGTH("object") };

static const struct {
	const char *doc;
	enum json_result result;
	bool odd;
	const char *found[FINDINGS];          /* raw; NULL: not found */
} rows[] = {
	{ "{}", JSON_OK, false, { NULL } },
	{ "{\"a\":1}", JSON_OK, false, { [A] = "1" } },
	{ "{\"b\":{\"a\":1,\"x\":2},\"a\":[3]}", JSON_OK, false, { [A] = "[3]" } },
	{ "{\"\\u0061\":\"t\"}", JSON_OK, false, { [A] = "\"t\"" } },
	{ " {\"list\": [ {\"x\" : 1 , \"deep\":{\"y\":null}} ] } ", JSON_OK, false,
	  { [LIST] = "[ {\"x\" : 1 , \"deep\":{\"y\":null}} ]", [IN_X] = "1",
	    [IN_DEEP] = "{\"y\":null}", [DEEP_Y] = "null" } },
	{ "{\"object\":{\"x\":true}}", JSON_OK, false, { [OBJECT] = "{\"x\":true}", [IN_X] = "true" } },
	{ "{\"list\":[],\"a\":2}", JSON_OK, false, { [LIST] = "[]", [A] = "2" } },
	{ "{\"list\":null}", JSON_OK, false, { [LIST] = "null" } },
	{ "{\"list\":[{\"x\":1},{\"x\":2}]}", JSON_OK, true,
	  { [LIST] = "[{\"x\":1},{\"x\":2}]", [IN_X] = "1" } },
	{ "{\"list\":[1]}", JSON_OK, true, { [LIST] = "[1]" } },
	{ "{\"list\":[[{\"x\":1}]]}", JSON_OK, true, { [LIST] = "[[{\"x\":1}]]" } },
	{ "{\"list\":[{\"x\":1,\"x\":2}]}", JSON_OK, true,
	  { [LIST] = "[{\"x\":1,\"x\":2}]", [IN_X] = "1" } },
	{ "{\"list\":[{\"deep\":[{\"y\":0}]}]}", JSON_OK, false,
	  { [LIST] = "[{\"deep\":[{\"y\":0}]}]", [IN_DEEP] = "[{\"y\":0}]", [DEEP_Y] = "0" } },
	{ "{\"a\":1,\"a\":1}", JSON_DUPLICATE, false, { NULL } },
	{ "[{\"a\":1}]", JSON_NOT_OBJECT, false, { NULL } },
	{ "[{\"a\":1}", JSON_CUT, false, { NULL } },
	{ "{\"list\":[{\"x\":1}", JSON_CUT, false, { NULL } },
	{ "{\"list\":[{\"x\":01}]}", JSON_SYNTAX, false, { NULL } },
	{ "{\"a\":1} x", JSON_TRAILING, false, { NULL } },
	{ "", JSON_EMPTY, false, { NULL } },
};

static void rows_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct json_finding f[FINDINGS] = { { .found = false } };
		bool odd = true;
		enum json_result r = json_scan_shape(slice_of(rows[i].doc), &shape, f, &odd, NULL);

		print_message("%s\n", rows[i].doc);
		assert_int_equal(r, rows[i].result);
		if (r != JSON_OK)
			continue;
		assert_int_equal(odd, rows[i].odd);
		for (size_t k = 0; k < FINDINGS; k++) {
			struct slice expected = slice_of(rows[i].found[k]);

			assert_int_equal(f[k].found, expected.at != NULL);
			assert_true(slice_eq(f[k].value, expected));
			if (expected.at)
				assert_int_equal(f[k].type, json_type_of(expected));
		}
	}
}

/* What is wrong with a document, and where, is told as the plain scanner tells it. */
static void errors_are_the_plain_scanners(void **state)
{
	static const char doc[] = "{\"a\":[1,{\"b\":\"\\u00e9\"}],\"list\":[{\"x\":-1.5e3,\"deep\":"
				  "{\"y\":\"t\\n\"}}],\"object\":{\"x\":false},\"c\":null}";

	(void)state;
	for (size_t cut = 0; cut < sizeof doc; cut++) {
		struct slice part = { doc, cut };
		struct json_finding f[FINDINGS] = { { .found = false } };
		struct json_want want = { .name = S("a") };
		size_t at = 0, expected_at = 0;
		bool odd;
		enum json_result r = json_scan_shape(part, &shape, f, &odd, &at);

		assert_int_equal(r, json_scan_object(part, &want, 1, &expected_at));
		assert_int_equal(at, expected_at);
	}
}

static void words_are_seen_as_strings_and_keys(void **state)
{
	static const struct {
		const char *doc;
		bool seen;
	} all[] = {
		{ "{\"m\":\"word\"}", true },
		{ "{\"m\":[{\"type\":\"word\"}]}", true },
		{ "{\"m\":[{\"word\":1}]}", true },
		{ "{\"m\":[[[\"word\"]]]}", true },
		{ "{\"m\":\"a word\"}", false },
		{ "{\"m\":\"\\\"word\\\"\"}", false },
		{ "{\"m\":1,\"n\":\"word\"}", false },
		{ "{\"word\":1,\"m\":\"other\"}", false },
		{ "{\"m\":[\"word\"],\"m\":1}", false },
		{ "{\"m\":[\"word\"", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		struct json_word words[] = { { .text = S("other one") }, { .text = S("word"), .seen = true } };
		struct json_want want = { .name = S("m"), .words = words, .word_count = 2 };
		enum json_result r = json_scan_object(slice_of(all[i].doc), &want, 1, NULL);

		print_message("%s\n", all[i].doc);
		assert_true(r == JSON_OK || !all[i].seen);
		assert_int_equal(words[1].seen, all[i].seen);
		assert_false(words[0].seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_found),
		cmocka_unit_test(errors_are_the_plain_scanners),
		cmocka_unit_test(words_are_seen_as_strings_and_keys),
	};

	return cmocka_run_group_tests_name("json shape", tests, NULL, NULL);
}
