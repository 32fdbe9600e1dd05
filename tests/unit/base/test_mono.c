#include "base/check.h"
#include "base/mono.h"

#include "cm.h"

static const struct {
	mono_ms at;
	int64_t delay_ms;
	mono_ms after;
	const char *says;
} rows[] = {
	{ 1000, 500, 1500, "a delay is added" },
	{ 1000, 0, 1000, "no delay is the same time" },
	{ -1000, 400, -600, "times may be before the arbitrary start" },
	{ MONO_NEVER, 1, MONO_NEVER, "after never is never" },
	{ 1, MONO_NEVER, MONO_NEVER, "a delay without end is never" },
	{ -5, MONO_NEVER, MONO_NEVER, "also from before the start" },
	{ INT64_MAX - 1, 2, MONO_NEVER, "what would overflow is never" },
	{ INT64_MAX - 2, 1, INT64_MAX - 1, "the last time there is" },
};

static void after(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		row_holds(mono_after(rows[i].at, rows[i].delay_ms) == rows[i].after, rows[i].says);
}

static void earlier(void **state)
{
	(void)state;
	assert_int_equal(mono_earlier(3, 5), 3);
	assert_int_equal(mono_earlier(5, 3), 3);
	assert_int_equal(mono_earlier(MONO_NEVER, 3), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after),
		cmocka_unit_test(earlier),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
