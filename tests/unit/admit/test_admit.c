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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_comes_as_bearer_token_or_as_x_api_key),
		cmocka_unit_test(only_known_keys_enter),
		cmocka_unit_test(without_a_list_everybody_enters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
