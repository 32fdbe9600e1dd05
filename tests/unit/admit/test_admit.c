/* Who may enter: the key a request presents, and whether it is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admit/admit.h"
#include "base/check.h"

struct presented_row {
	const char *authorization, *x_api_key;   /* NULL: header absent */
	const char *key;
};

static void a_key_comes_as_bearer_token_or_as_x_api_key(void **state)
{
	static const struct presented_row rows[] = {
		{ "Bearer abc", NULL, "abc" },
		{ "bearer abc", NULL, "abc" },
		{ "BEARER   abc  ", NULL, "abc" },
		{ "Bearer", NULL, "" },
		{ "Bearer ", NULL, "" },
		{ "Basic dTpw", NULL, "" },
		{ "Bearerabc", NULL, "" },
		{ "abc", NULL, "" },
		{ NULL, "abc", "abc" },
		{ NULL, " abc ", "abc" },
		{ "Bearer abc", "xyz", "abc" },
		{ "Basic dTpw", "xyz", "xyz" },
		{ NULL, NULL, "" },
		{ "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice got = admit_presented_key(slice_of(rows[i].authorization),
						       slice_of(rows[i].x_api_key));

		if (!slice_eq(got, slice_of(rows[i].key)))
			fail_msg("row %zu: got \"%.*s\"", i, SLICE_ARG(got));
	}
}

static void only_known_keys_enter(void **state)
{
	struct client_key keys[] = { { .name = S_INIT("web") }, { .name = S_INIT("job") } };
	const struct admit_policy policy = { keys, COUNT_OF(keys) };
	const struct client_key *who;

	(void)state;
	digest_sha256(S("first-key"), keys[0].sha256);
	digest_sha256(S("second-key"), keys[1].sha256);
	assert_int_equal(admit_check(&policy, S("first-key"), &who), ADMIT_YES);
	assert_ptr_equal(who, &keys[0]);
	assert_int_equal(admit_check(&policy, S("second-key"), &who), ADMIT_YES);
	assert_ptr_equal(who, &keys[1]);
	assert_int_equal(admit_check(&policy, S("second-kex"), &who), ADMIT_WRONG_KEY);
	assert_null(who);
	assert_int_equal(admit_check(&policy, S("second-key "), &who), ADMIT_WRONG_KEY);
	assert_int_equal(admit_check(&policy, S(""), &who), ADMIT_NO_KEY);
	assert_int_equal(admit_check(&policy, SLICE_NONE, &who), ADMIT_NO_KEY);
	assert_null(who);
}

static void without_a_list_everybody_enters(void **state)
{
	const struct admit_policy policy = { NULL, 0 };
	const struct client_key *who = (const struct client_key *)&policy;

	(void)state;
	assert_int_equal(admit_check(&policy, SLICE_NONE, &who), ADMIT_YES);
	assert_null(who);
	assert_int_equal(admit_check(&policy, S("anything"), &who), ADMIT_YES);
}

struct class_row {
	bool has_key;
	enum priority own;
	const char *asked;
	enum priority want;
	const char *sentence;
};

static void a_key_bounds_the_class_of_its_requests(void **state)
{
	static const struct class_row rows[] = {
		{ false, 0, NULL, PRIORITY_NORMAL, "nobody says anything" },
		{ false, 0, "high", PRIORITY_HIGH, "without keys everybody may ask" },
		{ false, 0, " Low ", PRIORITY_LOW, "in any case, with blanks" },
		{ false, 0, "urgent", PRIORITY_NORMAL, "a word that means nothing here" },
		{ true, PRIORITY_NORMAL, NULL, PRIORITY_NORMAL, "the key's class" },
		{ true, PRIORITY_HIGH, NULL, PRIORITY_HIGH, "also a high one" },
		{ true, PRIORITY_LOW, "high", PRIORITY_LOW, "nobody lifts himself" },
		{ true, PRIORITY_NORMAL, "low", PRIORITY_LOW, "but may step back" },
		{ true, PRIORITY_HIGH, "normal", PRIORITY_NORMAL, "from high as well" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct client_key key = { .priority = rows[i].own };

		if (admit_priority(rows[i].has_key ? &key : NULL, slice_of(rows[i].asked)) !=
		    rows[i].want)
			fail_msg("does not hold: %s", rows[i].sentence);
	}
}

static void a_client_says_how_long_it_will_wait(void **state)
{
	static const struct { const char *text; int64_t ms; } rows[] = {
		{ "30", 30000 }, { " 30 ", 30000 }, { "2.5", 2500 }, { "0.25", 250 }, { "30s", 30000 },
		{ "1500ms", 1500 }, { "2m", 120000 }, { "0.0009", 0 }, { "1.2345", 1234 }, { ".5", 500 },
		{ "", 0 }, { "0", 0 }, { "-3", 0 }, { "soon", 0 }, { "3 s", 0 }, { "1h", 0 }, { "1.2.3", 0 },
		{ ".", 0 }, { "999999999", 86400000 }, { "99999999999999999999999999", 0 }, { NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (admit_timeout_ms(slice_of(rows[i].text)) != rows[i].ms)
			fail_msg("\"%s\": got %lld", rows[i].text ? rows[i].text : "",
				 (long long)admit_timeout_ms(slice_of(rows[i].text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_comes_as_bearer_token_or_as_x_api_key),
		cmocka_unit_test(only_known_keys_enter),
		cmocka_unit_test(without_a_list_everybody_enters),
		cmocka_unit_test(a_key_bounds_the_class_of_its_requests),
		cmocka_unit_test(a_client_says_how_long_it_will_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
