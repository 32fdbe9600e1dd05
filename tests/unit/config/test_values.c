/* Durations, sizes, percentages, names: what each text means, or why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "config/inside.h"

struct row {
	const char *text;
	int64_t value;                /* where `wrong` is NULL */
	const char *wrong;
};

static void check(const char *(*read)(struct arena *, struct slice, int64_t *), const struct row *rows,
		  size_t count)
{
	struct arena *scratch = arena_create(0);

	for (size_t i = 0; i < count; i++) {
		int64_t value = -77;
		const char *wrong = read(scratch, slice_of(rows[i].text), &value);

		if (rows[i].wrong) {
			assert_non_null(wrong);
			assert_string_equal(wrong, rows[i].wrong);
			assert_int_equal(value, -77);
		} else {
			assert_null(wrong);
			assert_int_equal(value, rows[i].value);
		}
	}
	arena_free(scratch);
}

#define NOT_A_DURATION "is not a number with a unit; write it like 12s (units: ms, s, m, h)"

static void durations_are_a_number_and_a_unit(void **state)
{
	static const struct row rows[] = {
		{ "250ms", 250, NULL }, { "2s", 2000, NULL }, { "5m", 300000, NULL },
		{ "1h", 3600000, NULL }, { "1.5s", 1500, NULL }, { "0s", 0, NULL }, { "2 s", 2000, NULL },
		{ "0.001s", 1, NULL }, { "0.25h", 900000, NULL },
		{ "", 0, NOT_A_DURATION }, { "s", 0, NOT_A_DURATION }, { "-2s", 0, NOT_A_DURATION },
		{ "1..5s", 0, NOT_A_DURATION }, { "fast", 0, NOT_A_DURATION },
		{ "12", 0, "needs a unit; such as 12s (units: ms, s, m, h)" },
		{ "1m30s", 0, "has an unknown unit; write it like 12s (units: ms, s, m, h)" },
		{ "3us", 0, "has an unknown unit; write it like 12s (units: ms, s, m, h)" },
		{ "3M", 0, "has an unknown unit; did you mean 3m?" },
		{ "1.5ms", 0, "is finer than the smallest unit; round it" },
		{ "9999999999999999999s", 0, "is too large; write a smaller number" },
	};

	(void)state;
	check(value_duration, rows, COUNT_OF(rows));
}

static void sizes_are_a_number_and_a_unit(void **state)
{
	static const struct row rows[] = {
		{ "0B", 0, NULL }, { "64KiB", 65536, NULL }, { "1MB", 1000000, NULL },
		{ "1.5KiB", 1536, NULL }, { "2GiB", 2147483648, NULL }, { "10 GB", 10000000000, NULL },
		{ "64kib", 0, "has an unknown unit; did you mean 64KiB?" },
		{ "64", 0, "needs a unit; such as 64KiB (units: B, KB, KiB, MB, MiB, GB, GiB)" },
		{ "1.5B", 0, "is finer than the smallest unit; round it" },
	};

	(void)state;
	check(value_size, rows, COUNT_OF(rows));
}

static void percentages_end_in_a_percent_sign(void **state)
{
	static const struct row rows[] = {
		{ "20%", 20000, NULL }, { "0.5%", 500, NULL }, { "100%", 100000, NULL },
		{ "101%", 0, "is above 100%; write a smaller number" },
		{ "20", 0, "needs a percent sign; such as 20%" },
		{ "x%", 0, "is not a percentage; write it like 20%" },
	};

	(void)state;
	check(value_percent, rows, COUNT_OF(rows));
}

static void switches_are_on_or_off(void **state)
{
	bool on = false;

	(void)state;
	assert_null(value_bool(S("on"), &on));
	assert_true(on);
	assert_null(value_bool(S("No"), &on));
	assert_false(on);
	assert_null(value_bool(S("true"), &on));
	assert_true(on);
	assert_non_null(value_bool(S("1"), &on));
	assert_true(on);
}

static void values_are_shown_in_their_largest_whole_unit(void **state)
{
	struct arena *a = arena_create(0);

	(void)state;
	assert_string_equal(value_duration_text(a, 0).at, "0s");
	assert_string_equal(value_duration_text(a, 1500).at, "1500ms");
	assert_string_equal(value_duration_text(a, 120000).at, "2m");
	assert_string_equal(value_duration_text(a, 86400000).at, "24h");
	assert_string_equal(value_size_text(a, 0).at, "0B");
	assert_string_equal(value_size_text(a, 65536).at, "64KiB");
	assert_string_equal(value_size_text(a, 1000000).at, "1MB");
	arena_free(a);
}

static void names_are_made_of_few_bytes(void **state)
{
	(void)state;
	assert_true(value_is_name(S("gpt-5.2_x"), "._-", 64));
	assert_false(value_is_name(S(""), "._-", 64));
	assert_false(value_is_name(S("a b"), "._-", 64));
	assert_false(value_is_name(S("a\0b"), "._-", 64));
	assert_false(value_is_name(S("\xc3\xa4"), "._-", 64));
	assert_false(value_is_name(S("abc"), "", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_a_number_and_a_unit),
		cmocka_unit_test(sizes_are_a_number_and_a_unit),
		cmocka_unit_test(percentages_end_in_a_percent_sign),
		cmocka_unit_test(switches_are_on_or_off),
		cmocka_unit_test(values_are_shown_in_their_largest_whole_unit),
		cmocka_unit_test(names_are_made_of_few_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
